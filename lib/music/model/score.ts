/**
 * A score: notes in steps of a grid, under bars that have a metre, a key and a tempo. What writers of ABC read and readers of ABC make.
 */

/** All voices share the bars; a bar's end is the next one's start. */
export interface ScoreBar {
  /** in steps from the beginning */
  start: number;
  /** in steps: numerator · 4 · grid / denominator */
  length: number;
  numerator: number;
  denominator: number;
  /** quarter notes a minute, a whole number */
  tempo: number;
  /** sharps, or flats below zero: −7…7 */
  fifths: number;
  minor: boolean;
}

export interface ScoreNote {
  /** in steps from the beginning */
  start: number;
  /** in steps, at least 1 */
  duration: number;
  /** MIDI note number */
  pitch: number;
  /** General MIDI program; on drums, the kit */
  program: number;
}

export interface ScoreVoice {
  drum: boolean;
  /** in order of start, then duration (longest first), then pitch */
  notes: ScoreNote[];
}

export interface Score {
  /** steps to a beat, a beat being a quarter note: a power of two, at most 32 */
  grid: number;
  bars: ScoreBar[];
  /** from high to low, drums last */
  voices: ScoreVoice[];
}

/** What ABC software can play: MIDI's sixteen channels, less that of the drums. */
export const MAX_PITCHED_VOICES = 15;

/** Far more than any music has. No more are written or read: the ties of a chord cost the square of it. */
export const MAX_NOTES_IN_CHORD = 2048;

/** The order that `ScoreVoice.notes` is in. */
export function compareNotes(a: ScoreNote, b: ScoreNote): number {
  return a.start - b.start || b.duration - a.duration || a.pitch - b.pitch || a.program - b.program;
}

/** How many notes all voices have. */
export function countNotes(score: Score): number {
  return score.voices.reduce((sum, voice) => sum + voice.notes.length, 0);
}
