/**
 * A shell script while it is read: characters of code, and the values between them. What has been read is written to
 * `out`, where a value is quoted. Used by script-reader.ts and here-document.ts.
 */

/** A value in a script, with the reference that stands for it, for messages. */
export interface ScriptValue {
  value: string;
  reference: string;
  /** How many values with the same reference are before it. */
  nth?: number;
}

/** A part of a script: code, which is kept as it is, or a value. */
export type ScriptPart = string | ScriptValue;

const ORDINARY = new Set<ScriptPart>('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./,:@%+=');

/** The place up to which a script has been read. */
export class ScriptCursor {
  /** The text written so far. */
  out = '';
  /** A parameter such as `$name` ends here, and further letters would become part of the name. */
  isAfterName = false;
  readonly #units: readonly ScriptPart[];
  #end: number;
  #at = 0;

  constructor(parts: readonly ScriptPart[]) {
    this.#units = parts.flatMap((part): readonly ScriptPart[] => (typeof part === 'string' ? part.split('') : [part]));
    this.#end = this.#units.length;
  }

  /** The next character or value; undefined at the end. */
  get unit(): ScriptPart | undefined {
    return this.#at < this.#end ? this.#units[this.#at] : undefined;
  }

  /** Whether the script ends here, or this character is the next. */
  stopsAt(character: string): boolean {
    return this.unit === undefined || this.unit === character;
  }

  /** The character at a distance; undefined for a value and at the end. */
  next(distance: number): string | undefined {
    const unit = this.#at + distance < this.#end ? this.#units[this.#at + distance] : undefined;
    return typeof unit === 'string' ? unit : undefined;
  }

  /** The value at a distance; undefined for a character and at the end. */
  nextValue(distance: number): ScriptValue | undefined {
    const unit = this.#at + distance < this.#end ? this.#units[this.#at + distance] : undefined;
    return typeof unit === 'object' ? unit : undefined;
  }

  /** Writes characters as they are. It stops at a value. */
  copy(length: number): void {
    for (let i = 0; i < length && typeof this.unit === 'string'; i++) this.out += this.#units[this.#at++];
    this.isAfterName = false;
  }

  /** Copies characters that have no meaning of their own in a word, and returns them. */
  copyOrdinary(): string {
    const start = this.#at;
    while (this.#at < this.#end && ORDINARY.has(this.#units[this.#at])) this.#at++;
    const text = this.#units.slice(start, this.#at).join('');
    this.out += text;
    if (text !== '') this.isAfterName = false;
    return text;
  }

  /** Copies what is left of the line, with its end. */
  copyLine(): void {
    while (this.next(0) !== undefined && this.next(0) !== '\n') this.copy(1);
    this.copy(1);
  }

  /** Writes a text in place of the next value. */
  put(text: string): void {
    this.out += text;
    this.#at++;
    this.isAfterName = false;
  }

  /** The lines from here on. `value` is one of its values, `length` the number of its characters and values. */
  *lines(): Generator<{ text: string; value: ScriptValue | undefined; isContinued: boolean; length: number }> {
    for (let start = this.#at; start < this.#end; ) {
      const found = this.#units.indexOf('\n', start);
      const end = found < 0 || found > this.#end ? this.#end : found;
      const units = this.#units.slice(start, end);
      yield {
        text: units.map(textOf).join(''),
        value: units.find((unit) => typeof unit === 'object'),
        isContinued: units.at(-1) === '\\',
        length: end - start,
      };
      start = end + 1;
    }
  }

  /** Runs `read` with an end of the script that is `length` further on. */
  within(length: number, read: () => void): void {
    const end = this.#end;
    this.#end = Math.min(this.#at + length, end);
    read();
    this.#end = end;
  }

  /** The text from here to the end of the word, and the character after it. Quotes in it count as text. */
  restOfWord(): { rest: string; after: string } {
    let rest = '';
    for (let i = this.#at; i < this.#end; i++) {
      const unit = this.#units[i];
      if (unit === '\\' && this.#units[i + 1] === '\n') i++;
      else if (typeof unit === 'string' && /[ \t\n;&|<>()]/.test(unit)) return { rest, after: unit };
      else rest += textOf(unit);
    }
    return { rest, after: '' };
  }

  /** The code from here up to a character. */
  upTo(character: string): string {
    const found = this.#units.indexOf(character, this.#at + 1);
    return this.#units
      .slice(this.#at, found < 0 ? this.#end : found)
      .map(textOf)
      .join('');
  }
}

function textOf(unit: ScriptPart): string {
  return typeof unit === 'string' ? unit : unit.value;
}
