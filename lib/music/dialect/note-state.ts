/**
 * The pitch of a note, read one character at a time: an accidental, a letter, octave marks. A character is accepted only
 * if a pitch of the allowed range can still be reached after it.
 */
import { LETTER_SEMITONES, pitchAt, signature } from '../abc/index.ts';

const UPPER = 'CDEFGAB';
const LOWER = 'cdefgab';
/** Staff positions of C and c: seven positions per octave, C,,,,, is 0. */
const POSITION_OF_C = 35;
const ACCIDENTALS: { [text: string]: number } = { __: -2, _: -1, '=': 0, '^': 1, '^^': 2 };

/** A note after a beginning of its text. */
export class NoteState {
  /** the accidental so far */
  #accidental = '';
  #hasLetter = false;
  /** staff position and alteration, when the letter was read */
  #position = 0;
  #alteration = 0;

  /** Begins a new note. */
  begin(): void {
    this.#accidental = '';
    this.#hasLetter = false;
  }

  /** Takes over the state of another note. */
  become(other: NoteState): void {
    this.#accidental = other.#accidental;
    this.#hasLetter = other.#hasLetter;
    this.#position = other.#position;
    this.#alteration = other.#alteration;
  }

  /** The pitch of the note as far as it was read. */
  get pitch(): number {
    return pitchAt(this.#position, this.#alteration);
  }

  /**
   * Reads one character.
   *
   * @param lowest the lowest pitch that the note may have
   * @param highest the highest pitch
   * @param accidentals the alterations that accidentals of this bar have set by letter; NaN where none has
   * @param fromKey alterations by letter from the key signature
   * @returns `ended` if the character is not part of the note, which is whole
   */
  accept(
    c: string,
    lowest: number,
    highest: number,
    accidentals: readonly number[] | undefined,
    fromKey: readonly number[],
  ): 'accepted' | 'refused' | 'ended' {
    if (this.#hasLetter) return this.#acceptAfterLetter(c, lowest, highest);
    const isAccidental =
      this.#accidental === '' ? c === '^' || c === '_' || c === '=' : c !== '=' && c === this.#accidental;
    const reaches = isAccidental
      ? this.#acceptAccidental(this.#accidental + c, lowest, highest)
      : this.#acceptLetter(c, lowest, highest, accidentals, fromKey);
    return reaches ? 'accepted' : 'refused';
  }

  /** The accidentals of the bar after this note. */
  accidentalsAfter(before: readonly number[] | undefined): readonly number[] | undefined {
    if (this.#accidental === '') return before;
    const accidentals = before?.slice() ?? new Array<number>(7).fill(Number.NaN);
    accidentals[this.#position % 7] = this.#alteration;
    return accidentals;
  }

  /** An accidental, if a letter can follow with which the note has a pitch that it may have. */
  #acceptAccidental(text: string, lowest: number, highest: number): boolean {
    this.#accidental = text;
    for (const [accidental, alteration] of Object.entries(ACCIDENTALS)) {
      if (!accidental.startsWith(text)) continue;
      const least = Math.max(lowest, alteration);
      for (const semitones of LETTER_SEMITONES) {
        if (least + modulo(semitones + alteration - least, 12) <= highest) return true;
      }
    }
    return false;
  }

  /** A letter, if the note has a pitch that it may have, with or without octave marks. */
  #acceptLetter(
    c: string,
    lowest: number,
    highest: number,
    accidentals: readonly number[] | undefined,
    fromKey: readonly number[],
  ): boolean {
    const upper = UPPER.indexOf(c);
    const letter = upper >= 0 ? upper : LOWER.indexOf(c);
    if (letter < 0) return false;
    this.#hasLetter = true;
    this.#alteration = ACCIDENTALS[this.#accidental] ?? alterationOf(letter, accidentals, fromKey);
    this.#position = POSITION_OF_C + letter + (upper >= 0 ? 0 : 7);
    const { pitch } = this;
    if (upper >= 0) {
      const least = Math.max(lowest, this.#alteration);
      return pitch >= least && least + modulo(pitch - least, 12) <= highest;
    }
    return pitch <= highest && highest - modulo(highest - pitch, 12) >= lowest;
  }

  #acceptAfterLetter(c: string, lowest: number, highest: number): 'accepted' | 'refused' | 'ended' {
    const { pitch } = this;
    if (c !== ',' && c !== "'") return pitch < lowest || pitch > highest ? 'refused' : 'ended';
    const isUpper = this.#position < POSITION_OF_C + 7;
    if (isUpper !== (c === ',')) return 'refused';
    this.#position += isUpper ? -7 : 7;
    // The first letter was accepted because a pitch can be reached by octave marks, so this one must not pass it by.
    const reaches = isUpper ? pitch - 12 >= Math.max(lowest, this.#alteration) : pitch + 12 <= highest;
    return reaches ? 'accepted' : 'refused';
  }
}

/** The alteration of each letter C…B in the key with this number of sharps. */
const SIGNATURES = new Map<number, readonly number[]>();

/** The signature of a number of sharps. Equal numbers give the same array. */
export function signatureOf(fifths: number): readonly number[] {
  let found = SIGNATURES.get(fifths);
  if (found === undefined) SIGNATURES.set(fifths, (found = signature(fifths)));
  return found;
}

function alterationOf(letter: number, accidentals: readonly number[] | undefined, fromKey: readonly number[]): number {
  const accidental = accidentals?.[letter];
  return accidental === undefined || Number.isNaN(accidental) ? fromKey[letter] : accidental;
}

/** The remainder of a division, 0…divisor − 1, for negative numbers too. */
function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/** The list of pitches without one occurrence of the value. */
export function without(list: readonly number[], value: number): readonly number[] {
  const at = list.indexOf(value);
  return at < 0 ? list : [...list.slice(0, at), ...list.slice(at + 1)];
}
