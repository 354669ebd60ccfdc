/**
 * A field within a bar, read one character at a time after its bracket and letter: `[M:3/4]`, `[K:G]`, `[Q:1/4=90]`,
 * `[I:MIDI program 40]`.
 */
import type { BarSetting } from './bar-setting.ts';
import { beginsValue, isValue, type ValueKind } from './values.ts';

const VALUE_KINDS: { [letter: string]: ValueKind } = { M: 'metre', K: 'key', Q: 'tempo', I: 'program' };
/** The text between the letter of a field and its value. */
const BEFORE_VALUE: { [letter: string]: string } = { M: ':', K: ':', Q: ':1/4=', I: ':MIDI program ' };

/** A field after a beginning of its text. */
export class FieldState {
  letter = '';
  /** what was read after the letter */
  #typed = '';

  /** Begins a field. */
  begin(letter: string): void {
    this.letter = letter;
    this.#typed = '';
  }

  /** Takes over the state of another field. */
  become(other: FieldState): void {
    this.letter = other.letter;
    this.#typed = other.#typed;
  }

  /** The value so far. A tempo is a number of quarter notes a minute. */
  get value(): string {
    return this.#typed.slice(BEFORE_VALUE[this.letter].length);
  }

  /** Reads one character. Returns `ended` for the bracket after a whole value. */
  accept(c: string, { metre, grid }: BarSetting): 'accepted' | 'refused' | 'ended' {
    const kind = VALUE_KINDS[this.letter];
    // Another voice has set the metre of this bar.
    const given = this.letter === 'M' && typeof metre === 'object' ? metre.value : undefined;
    if (c === ']') return isValue(kind, this.value) && (given ?? this.value) === this.value ? 'ended' : 'refused';
    this.#typed += c;
    const before = BEFORE_VALUE[this.letter];
    if (this.#typed.length <= before.length) return before.startsWith(this.#typed) ? 'accepted' : 'refused';
    const begins = given?.startsWith(this.value) ?? beginsValue(kind, this.value, grid);
    return begins ? 'accepted' : 'refused';
  }
}
