/**
 * The tuplets of the dialect: three notes in the time of two (`(3`), and five in the time of four (`(5:4:5`).
 *
 * A tuplet of r notes, chords and rests is `(p:q:r`; `(3` alone has three. It begins and ends on points that the
 * binary grid has too, and its notes are written with p/q of their duration.
 *
 * @see ABC standard 2.1, §4.13
 */
import { UNITS_PER_STEP } from '../model/index.ts';

/** A kind of tuplet. */
export interface TupletKind {
  /** notes … */
  p: 3 | 5;
  /** … in the time of this many */
  q: 2 | 4;
  /** units of a written step: 15 · q / p */
  unitsPerWrittenStep: number;
}

/** Triplets, and what is made of them: sextuplets, swung eighths, quarter-note triplets. */
export const TRIPLET: TupletKind = { p: 3, q: 2, unitsPerWrittenStep: (UNITS_PER_STEP * 2) / 3 };
export const QUINTUPLET: TupletKind = { p: 5, q: 4, unitsPerWrittenStep: (UNITS_PER_STEP * 4) / 5 };

/** Largest number of notes, chords and rests in a tuplet. */
export const MAX_TUPLET_NOTES = 48;

/** Positions at which triplets may begin and end are multiples of this, in units from the bar line. */
const TRIPLET_UNITS = 3 * TRIPLET.unitsPerWrittenStep;

/**
 * The tuplets whose notes may begin or end at a position.
 *
 * @param position from the bar line, in units
 * @returns undefined if the position is on the binary grid
 */
export function tupletAt(position: number): TupletKind | undefined {
  if (position % UNITS_PER_STEP === 0) return undefined;
  return position % TRIPLET.unitsPerWrittenStep === 0 ? TRIPLET : QUINTUPLET;
}

/** Whether a tuplet may begin or end at a position, in units from the bar line. */
export function mayBound(kind: TupletKind, position: number, unitsPerBeat: number): boolean {
  return position % (kind === TRIPLET ? TRIPLET_UNITS : unitsPerBeat) === 0;
}

/**
 * The step of a kind of tuplet: durations of its notes are multiples of it, in units.
 *
 * @param unitsPerBeat of the score; quintuplets are fifths of a beat
 */
export function tupletStep(kind: TupletKind, unitsPerBeat: number): number {
  return kind === TRIPLET ? kind.unitsPerWrittenStep : unitsPerBeat / kind.p;
}

/** The text before the notes of a tuplet: `(3`, `(3:2:4`, `(5:4:5`. */
export function tupletText({ p, q }: TupletKind, notes: number): string {
  return p === 3 && notes === 3 ? '(3' : `(${p}:${q}:${notes}`;
}
