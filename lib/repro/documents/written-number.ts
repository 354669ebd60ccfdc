/**
 * Numbers that JavaScript cannot represent exactly as written: the text that the file has (`1.0`, `1e-3`, `010`), or
 * digits of an integer above 2^53. yaml.ts and `parseJson` read such a number as a WrittenNumber; all other numbers
 * stay `number`.
 *
 * A text that is made of a value, such as a command or the name of a cell, gets the number as written: `String(value)`.
 * Comparisons go by value, by `canonical` of json.ts: `1.0` equals `1`, and integers are compared digit by digit.
 */
/** Starts the text that stands for a number in the JSON of memos; no program writes such a text. */
export const MARK = '\0number ';

/** A number together with its text. */
export class WrittenNumber {
  /** The number as the file writes it. */
  readonly text: string;
  /** A bigint if it is an integer that a `number` cannot hold exactly. */
  readonly value: number | bigint;

  constructor(text: string, value: number | bigint) {
    this.text = text;
    this.value = value;
  }

  toString(): string {
    return this.text;
  }

  valueOf(): number {
    return Number(this.value);
  }

  /** A text that `unpackJson` turns into the number again. For people and other programs, use `writeJson`. */
  toJSON(): string {
    return MARK + this.text;
  }
}

/**
 * The number that a text stands for.
 *
 * @param text an integer or a decimal number, as YAML or JSON write it
 * @param value what the parser made of it
 * @example writtenNumber('0.5', 0.5) // 0.5
 * @example writtenNumber('1.0', 1) // WrittenNumber { text: '1.0', value: 1 }
 * @example writtenNumber('9007199254740993', 9007199254740992) // … value: 9007199254740993n
 */
export function writtenNumber(text: string, value: number): number | WrittenNumber {
  if (!Number.isFinite(value)) return value;
  if (!Number.isSafeInteger(value) && /^(?:[-+]?\d+|0x[\da-f]+|0o[0-7]+)$/i.test(text)) {
    const exact = BigInt(text);
    if (exact !== BigInt(value)) return new WrittenNumber(text, exact);
  }
  return text === String(value) ? value : new WrittenNumber(text, value);
}

/** The number nearest to an integer of any size, or the integer itself if no `number` holds it exactly. */
export function ofInteger(integer: bigint): number | WrittenNumber {
  return writtenNumber(String(integer), Number(integer));
}
