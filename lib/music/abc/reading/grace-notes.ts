/**
 * Reads the accidentals of grace notes. Grace notes make no sound here, but their accidentals hold for the notes after
 * them in the bar: in `{^f}g f`, the last note is F sharp.
 *
 * @see ABC standard 2.1, §4.2 (accidentals), §4.12 (grace notes)
 */
import { LETTERS } from './characters.ts';

const ACCIDENTAL = /(\^\^?|__?|=)([A-Ga-g])([,']*)/g;
const ALTERATIONS: Record<string, number> = { '^^': 2, '^': 1, '=': 0, _: -1, __: -2 };

/**
 * Finds the accidentals of grace notes.
 *
 * @param text from `{` to `}`
 * @returns staff positions, see tune.ts, and alterations in semitones
 * @example graceAccidentals('{^f}') // [[45, 1]]
 */
export function graceAccidentals(text: string): [position: number, alteration: number][] {
  return [...text.matchAll(ACCIDENTAL)].map(([, sign, letter, marks]) => {
    const index = LETTERS.indexOf(letter);
    const octave = (index < 7 ? 5 : 6) + marks.split("'").length - marks.split(',').length;
    return [7 * octave + (index % 7), ALTERATIONS[sign]];
  });
}
