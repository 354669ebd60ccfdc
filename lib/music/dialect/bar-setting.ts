/**
 * The context in which a bar is read: its length, the fields that the tune allows, and the state after the bar before.
 */
import type { LengthNode } from './lengths.ts';

/** The fields that the bar may have, and the state after the bar before. */
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
