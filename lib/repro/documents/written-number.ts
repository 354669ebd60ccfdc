/**
 * Numbers of which JavaScript would lose something: the text that the file has (`1.0`, `1e-3`, `010`), or digits of an
 * integer above 2^53. yaml.ts and `parseJson` read such a number as a WrittenNumber; all other numbers stay `number`.
 *
 * A text that is made of a value, such as a command or the name of a cell, gets the number as written: `String(value)`.
 * Comparisons go by value, by `canonical` of json.ts: `1.0` equals `1`, and integers are compared digit by digit.
 */
import type { Json } from './json.ts';

/** Starts the text that stands for a number in the JSON of memos; no program writes such a text. */
const MARK = '\0number ';
/** How JSON.stringify writes MARK. */
const ESCAPED_MARK = '"\\u0000number ';

/** A number together with its text. */
export class WrittenNumber {
  /** As in the file. */
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

/** The value of a number; undefined for anything else. */
export function numberOf(value: Json | undefined): number | bigint | undefined {
  if (value instanceof WrittenNumber) return value.value;
  return typeof value === 'number' ? value : undefined;
}

/** The number nearest to an integer of any size, or the integer itself if no `number` holds it exactly. */
export function ofInteger(integer: bigint): number | WrittenNumber {
  return writtenNumber(String(integer), Number(integer));
}

/** A copy of the value with a `number` for each number, rounded where it has to be. */
export function rounded(value: Json): Json {
  if (value instanceof WrittenNumber) return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rounded(item)]));
}

/**
 * The value with its numbers in a form that YAML 1.1, YAML 1.2 and JSON read alike. A number in such a form keeps its
 * text. PyYAML, which reads YAML 1.1, takes `1e-7` for a text and `010` for eight.
 *
 * @param isJson the value goes into a JSON file
 * @example toPortable(1e-7) // 1.0e-07
 */
export function toPortable(value: Json, isJson = false): Json {
  if (Array.isArray(value)) return value.map((item) => toPortable(item, isJson));
  if (typeof value === 'object' && value !== null && !(value instanceof WrittenNumber))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPortable(item, isJson)]));
  const number = numberOf(value);
  if (number === undefined) return value;
  const short = String(number);
  const text = String(value);
  if (text !== short && ((short.includes('e') ? EXPONENT : DECIMAL).test(text) || (!isJson && HEX.test(text))))
    return value;
  return writtenNumber(withPoint(short), Number(number));
}

/** As both versions of YAML read it, but not JSON. */
const HEX = /^0x[\da-fA-F]+$/;
/** A number without an exponent, or with one, as YAML 1.1 and JSON both read it. */
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
const EXPONENT = /^-?(?:0|[1-9]\d*)\.\d+[eE][-+]\d+$/;

function withPoint(number: string): string {
  const [, mantissa, sign, exponent] = /^(-?\d+(?:\.\d+)?)e([+-]?)(\d+)$/.exec(number) ?? [];
  if (mantissa === undefined) return number;
  return `${mantissa}${mantissa.includes('.') ? '' : '.0'}e${sign || '+'}${exponent.padStart(2, '0')}`;
}

/** Strings, and whatever else could be a number. */
const JSON_WORDS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Parses a JSON text and keeps numbers as written.
 *
 * @throws SyntaxError as JSON.parse does
 */
export function parseJson(text: string): Json {
  const marked = text.replace(JSON_WORDS, (word) =>
    JSON_NUMBER.test(word) && writtenNumber(word, Number(word)) instanceof WrittenNumber
      ? JSON.stringify(MARK + word)
      : word,
  );
  if (marked === text) return JSON.parse(text);
  try {
    return unpackJson(marked);
  } catch {
    return JSON.parse(text); // Its error names a position in the text itself.
  }
}

/** JSON for people and other programs: numbers are as written if JSON allows it, else in decimal digits. */
export function writeJson(value: unknown, space?: number): string {
  return withNumbers(JSON.stringify(value, undefined, space));
}

/** What JSON.stringify made of a value, with the numbers that `toJSON` marked as writeJson writes them. */
export function withNumbers(text: string): string {
  if (!text.includes(ESCAPED_MARK)) return text;
  // A text from outside that only looks like a marked number stays a text.
  return text.replace(/"\\u0000number ([^"]*)"/g, (marked, number: string) =>
    JSON_NUMBER.test(number) ? number : String(readMarked(number)?.value ?? marked),
  );
}

/** Parses what JSON.stringify made of values that may have a WrittenNumber in them. */
export function unpackJson(text: string): Json {
  if (!text.includes(ESCAPED_MARK)) return JSON.parse(text);
  return JSON.parse(text, (_, value) =>
    typeof value === 'string' && value.startsWith(MARK) ? (readMarked(value.slice(MARK.length)) ?? value) : value,
  );
}

function readMarked(text: string): WrittenNumber | undefined {
  const value = Number(text);
  const number = Number.isNaN(value) ? value : writtenNumber(text, value);
  return number instanceof WrittenNumber ? number : undefined;
}
