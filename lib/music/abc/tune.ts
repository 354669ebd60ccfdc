/**
 * The Tune type: the result of parsing ABC (parse-abc.ts), with fields, voices, bars, notes, their places in the text,
 * and problems.
 *
 * Repeats are not written out and ties not joined: perform-tune.ts does that. Durations are whole numbers of ticks.
 */
import type { Key } from '../model/index.ts';

/** Ticks of a whole note. Notes down to a 1024th and in tuplets of 3, 5, 7 and 9 are exact. */
export const WHOLE = 1024 * 315;

/** The kinds of problems. */
export type ProblemKind =
  /** a character or construction that does not exist in ABC */
  | 'syntax'
  /** a letter for a decoration that nothing defines, or a character that the standard reserves */
  | 'symbol'
  /** a field that is missing, misplaced or unreadable */
  | 'header'
  /** a bar whose length differs from its metre, or between its layers or voices */
  | 'bar-length'
  /** voices with different numbers of bars */
  | 'bar-count'
  /** a pitch outside MIDI's range, or an unreasonable duration */
  | 'range'
  /** a tie that no note continues */
  | 'tie'
  /** a repeat or ending that cannot be followed */
  | 'repeat'
  /** a tune without notes */
  | 'empty';

/** A fault in the text. */
export interface Problem {
  /** counted from 1 */
  line: number;
  /** counted from 1, in UTF-16 units */
  column: number;
  message: string;
  kind: ProblemKind;
}

/**
 * A place of the text that was passed over on purpose, or read with a guess: an unknown word in a field, text that is no
 * music, a tempo that is not one of the standard.
 */
export interface Remark {
  /** counted from 1 */
  line: number;
  message: string;
}

/** One field: `K:G` on a separate line, or `[K:G]` within the music. */
export interface Field {
  letter: string;
  value: string;
  /** counted from 1 */
  line: number;
  /** the column at which the field begins, counted from 1; an inline field begins with its bracket */
  column: number;
  /** the column after the field, and after the bracket of an inline field */
  endColumn: number;
}

/** A time signature. */
export interface Metre {
  numerator: number;
  denominator: number;
}

/** A note as it is written. Times are in ticks. */
export interface TuneNote {
  /** from the beginning of the bar */
  start: number;
  duration: number;
  /** MIDI note number */
  pitch: number;
  /** staff position, letter and octave: 7 · octave + letter, see spelling.ts */
  position: number;
  /** whether it is written with an accidental */
  explicit: boolean;
  /** whether it is tied to the next note of its pitch */
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
  /** microseconds of a quarter note */
  microsecondsPerBeat?: number;
  program?: number;
}

/** A bar of one voice. Times are in ticks. */
export interface TuneBar {
  /** the place of its first note or rest, after any fields before it */
  line: number;
  column: number;
  /** the place after its bar line, or the end of the text if no bar line ends it */
  endLine: number;
  endColumn: number;
  /** the duration of its longest layer */
  duration: number;
  /** joined by `&` in the text; at least one */
  layers: { notes: TuneNote[]; duration: number }[];
  /** the metre in force; undefined for free metre (M:none) */
  metre: Metre | undefined;
  key: Key;
  changes: BarChange[];
  /** a repeated section begins here */
  opensRepeat: boolean;
  /** number of times that the section ending here is repeated */
  closesRepeat: number;
  /** whether a double or final bar line ends it */
  doubleBar: boolean;
  /** whether the end of a line ends it, where a bar line was left out */
  endedByLine?: boolean;
  /** if an ending begins here, its passes: [1, 3] for `[1,3` */
  endings: number[] | undefined;
  /** the name of the part that begins here (P: within the music) */
  part: string | undefined;
}

/** A voice of a tune. */
export interface TuneVoice {
  id: string;
  drum: boolean;
  /** General MIDI program at the beginning, 0–127 */
  program: number;
  bars: TuneBar[];
}

/** A parsed tune. */
export interface Tune {
  /** all fields in order, header and inline */
  fields: Field[];
  /** the voices that have music, in order of their first mention */
  voices: TuneVoice[];
  /** microseconds of a quarter note, at the beginning */
  microsecondsPerBeat: number;
  /** the order of the parts that the header's P: gives; undefined: as written */
  partOrder: string[] | undefined;
  /** what was passed over without being a problem */
  remarks: Remark[];
  /** problems of syntax, fields and ranges; check-abc.ts adds those of bars and ties */
  problems: Problem[];
}

/** The length of a bar, in ticks. */
export function metreDuration(metre: Metre): number {
  return (metre.numerator * WHOLE) / metre.denominator;
}
