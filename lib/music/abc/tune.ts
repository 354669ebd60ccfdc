/**
 * A tune as its text has it: fields, voices, bars, notes, and what is wrong with it. abc-parse.ts makes it; nothing here plays it.
 *
 * Durations are whole numbers of ticks, WHOLE to a whole note: exact down to a 1024th and in tuplets of 3, 5, 7 and 9.
 */
import type { Key } from '../model/index.ts';

export const WHOLE = 1024 * 315;

export type ProblemKind =
  /** a character or construction that ABC does not have */
  | 'syntax'
  /** a field that is missing, misplaced or not to be understood */
  | 'header'
  /** a bar that is not as long as its metre says, or as its other layers */
  | 'bar-length'
  /** voices with different numbers of bars */
  | 'bar-count'
  /** a pitch that MIDI does not have, or a duration beyond reason */
  | 'range'
  /** a tie that no note takes up */
  | 'tie'
  /** a repeat or ending that cannot be followed */
  | 'repeat'
  /** nothing to play */
  | 'empty';

export interface Problem {
  /** counted from 1 */
  line: number;
  /** counted from 1, in UTF-16 units */
  column: number;
  message: string;
  kind: ProblemKind;
}

/** One field: `K:G` on a line of its own, or `[K:G]` within the music. */
export interface Field {
  letter: string;
  value: string;
  /** counted from 1 */
  line: number;
  /** where the field begins, counted from 1; an inline field begins with its bracket */
  column: number;
  /** the column after the field, and after the bracket of an inline field */
  endColumn: number;
}

export interface Metre {
  numerator: number;
  denominator: number;
}

export interface TuneNote {
  /** from the beginning of the bar */
  start: number;
  duration: number;
  /** MIDI note number */
  pitch: number;
  /** letter and octave: 7 · octave + letter, as in spelling.ts */
  position: number;
  /** whether an accidental stands before it */
  explicit: boolean;
  /** whether the next note of its position goes on with its sound */
  tied: boolean;
  line: number;
  column: number;
  /** the column after its letter and octave marks, where its length may stand */
  endColumn: number;
}

/** A change of tempo or program within a bar. */
export interface BarChange {
  /** from the beginning of the bar */
  offset: number;
  /** of a quarter note */
  microsecondsPerBeat?: number;
  program?: number;
}

export interface TuneBar {
  /** where its first note or rest stands, after any fields before it */
  line: number;
  column: number;
  /** the place after its bar line, or the end of the text if no bar line ends it */
  endLine: number;
  endColumn: number;
  /** of its longest layer */
  duration: number;
  /** joined by `&`; the first is always there */
  layers: { notes: TuneNote[]; duration: number }[];
  /** the metre in force; undefined is free (M:none) */
  metre: Metre | undefined;
  key: Key;
  changes: BarChange[];
  /** a repeated section begins here */
  opensRepeat: boolean;
  /** how many times the section that ends here is played again */
  closesRepeat: number;
  /** a double or final bar line ends it */
  doubleBar: boolean;
  /** the passes on which it and the bars after it are played: `[1`, `[1,3` */
  endings: number[] | undefined;
}

export interface TuneVoice {
  id: string;
  drum: boolean;
  /** at the beginning */
  program: number;
  bars: TuneBar[];
}

export interface Tune {
  /** as written, in order, those between the notes too */
  fields: Field[];
  /** those that have music, in order of their first mention */
  voices: TuneVoice[];
  /** the length of a note without a number, and the tempo, at the beginning */
  microsecondsPerBeat: number;
  /** of syntax and fields only; abc-check.ts finds the musical ones */
  problems: Problem[];
}

export function metreDuration(metre: Metre): number {
  return (metre.numerator * WHOLE) / metre.denominator;
}
