/**
 * Spells pitches in a key as ABC writes them: letter, accidental and octave marks.
 *
 * A staff position counts letters upwards from MIDI pitch 0, which ABC writes C,,,,,: position = 7 · octave + letter,
 * with C = 0.
 *
 * Spelling follows the line of fifths. Each pitch class gets its name among the twelve names nearest to the key. In a
 * major key these run from the flat sixth to the sharp tonic (in C: A♭ … C♯), in a minor key from the flat fifth to the
 * sharp seventh (in A minor: E♭ … G♯).
 */
import type { Key } from '../model/index.ts';

/** Semitones above C of the letters C D E F G A B. */
export const LETTER_SEMITONES = [0, 2, 4, 5, 7, 9, 11];
/** Letters (0 = C) in the order in which sharps are added to a signature. Flats are added in the reverse order. */
const ORDER_OF_SHARPS = [3, 0, 4, 1, 5, 2, 6];
/** Letters by place on the line of fifths, starting with F. */
const LINE_OF_FIFTHS = [3, 0, 4, 1, 5, 2, 6];
/** ABC's accidentals for alterations from −2 to 2. */
const ACCIDENTAL_TEXT = ['__', '_', '=', '^', '^^'];

/** Number of staff positions: eleven octaves contain all MIDI pitches. */
export const POSITIONS = 7 * 11;

/**
 * The alteration of each letter C…B in a key signature. Beyond seven sharps or flats, letters get a second one.
 *
 * @param fifths −14…14
 */
export function signature(fifths: number): number[] {
  const alterations = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < fifths; i++) alterations[ORDER_OF_SHARPS[i % 7]]++;
  for (let i = 0; i < -fifths; i++) alterations[ORDER_OF_SHARPS[6 - (i % 7)]]--;
  return alterations;
}

/** The spelling of every MIDI pitch in a key. Arrays are indexed by pitch unless stated otherwise. */
export interface Spelling {
  key: Key;
  /** staff position */
  position: Int16Array;
  /** letter C…B, as 0…6 */
  letter: Int8Array;
  /** semitones from the natural note, −2…2 */
  alteration: Int8Array;
  /** the signature's alteration of each letter C…B */
  signature: number[];
  /** letter and octave marks: c' */
  plain: string[];
  /** the same with its accidental: ^c' */
  marked: string[];
}

/** Spellings by key, filled on demand. */
const SPELLINGS: Spelling[] = [];

/** The spelling of a key. */
export function spellingOf(key: Key): Spelling {
  return (SPELLINGS[2 * (key.fifths + 7) + (key.minor ? 1 : 0)] ??= makeSpelling(key));
}

function makeSpelling(key: Key): Spelling {
  const position = new Int16Array(128);
  const letters = new Int8Array(128);
  const alteration = new Int8Array(128);
  // Places on the line of fifths: F is −1, C is 0, G is 1. Twelve consecutive places name every pitch class once.
  const first = key.fifths - (key.minor ? 3 : 4);
  for (let place = first; place < first + 12; place++) {
    const letter = LINE_OF_FIFTHS[(((place + 1) % 7) + 7) % 7];
    const altered = Math.floor((place + 1) / 7);
    for (let octave = 0; octave <= 10; octave++) {
      const pitch = 12 * octave + LETTER_SEMITONES[letter] + altered;
      if (pitch < 0 || pitch > 127) continue;
      position[pitch] = 7 * octave + letter;
      letters[pitch] = letter;
      alteration[pitch] = altered;
    }
  }
  // Pitch 0 stays C in keys that would spell it as a B♯, whose staff position would be negative.
  const plain = Array.from(position, positionText);
  const marked = plain.map((text, pitch) => ACCIDENTAL_TEXT[alteration[pitch] + 2] + text);
  return { key, position, letter: letters, alteration, signature: signature(key.fifths), plain, marked };
}

/**
 * The letter and octave marks of a staff position.
 *
 * @param position 7 × octave + letter (C = 0). Octave 5 is that of MIDI pitch 60, so 35 is middle C
 * @example positionText(35) // 'C'; 28 gives 'C,' and 42 gives 'c'
 */
export function positionText(position: number): string {
  const octave = Math.floor(position / 7);
  const letter = 'CDEFGAB'[position % 7];
  if (octave <= 5) return letter + ','.repeat(5 - octave);
  return letter.toLowerCase() + "'".repeat(octave - 6);
}

const MAJOR_TONICS = ['Cb', 'Gb', 'Db', 'Ab', 'Eb', 'Bb', 'F', 'C', 'G', 'D', 'A', 'E', 'B', 'F#', 'C#'];
const MINOR_TONICS = ['Ab', 'Eb', 'Bb', 'F', 'C', 'G', 'D', 'A', 'E', 'B', 'F#', 'C#', 'G#', 'D#', 'A#'];

/** The value of a K: field: `Eb`, `C#m`. */
export function keyText(key: Key): string {
  return key.minor ? `${MINOR_TONICS[key.fifths + 7]}m` : MAJOR_TONICS[key.fifths + 7];
}
