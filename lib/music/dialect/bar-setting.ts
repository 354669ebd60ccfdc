/** What a bar is read with: its length, and what the bars before it and the tune allow. */
import type { LengthNode } from './lengths.ts';

/** What the bar's fields may be, and what the bar before left. */
export interface BarSetting {
  /** steps per quarter note */
  grid: number;
  /** the length tree of the tune's unit */
  lengths: LengthNode;
  /** the bar's length in steps, if no metre field changes it */
  steps: number;
  /** free: a metre field may come; none: it may not; otherwise: it must come, with this value */
  metre: 'free' | 'none' | { value: string };
  /** whether a tempo field may come: only the first voice has one */
  tempo: boolean;
  /** semitones by letter C…B, from the key signature */
  signature: readonly number[];
  /** pitches of notes that are tied from the bar before */
  tied: readonly number[];
  /** whether no note may be tied over the bar line at the end */
  last: boolean;
  /** whether the dialect has tuplets */
  tuplets: boolean;
}
