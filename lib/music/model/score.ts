/**
 * The Score type: notes on a grid, with bars that have a metre, a key and a tempo. ABC is written from scores.
 *
 * Times are in units. A step of the grid has 15 of them, so that the steps of triplets (4/3 of a step) and quintuplets
 * are whole numbers too: with 16 steps a beat, a beat has 240 units, a note of an eighth triplet 80.
 */

/** Units of a step of the binary grid. */
export const UNITS_PER_STEP = 15;
/** Units between the onsets of triplets: with 16 steps a beat, a twelfth of the beat. Their ends can be halfway. */
export const UNITS_PER_TRIPLET_STEP = 20;

/** A bar of all voices. It ends where the next one starts. */
export interface ScoreBar {
  /** in units from the beginning */
  start: number;
  /** in units; equals numerator · 4 · unitsPerBeat / denominator */
  length: number;
  numerator: number;
  denominator: number;
  /** quarter notes per minute, a whole number */
  tempo: number;
  /** number of sharps, −7…7; flats are negative */
  fifths: number;
  minor: boolean;
}

/** A note on the grid. */
export interface ScoreNote {
  /** in units from the beginning: on a step, or on a triplet or quintuplet of its beat */
  start: number;
  /** in units, at least a step or a note of a tuplet */
  duration: number;
  /** MIDI note number */
  pitch: number;
  /** General MIDI program; for drums, the kit */
  program: number;
}

/** A voice: the notes of one part, or of all drums. */
export interface ScoreVoice {
  drum: boolean;
  /** in order of start, then duration (longest first), then pitch */
  notes: ScoreNote[];
}

/** Notes on a grid, in voices, with their bars. */
export interface Score {
  /** units per quarter note: UNITS_PER_STEP times a power of two, at most 32 */
  unitsPerBeat: number;
  bars: ScoreBar[];
  /** from high to low by mean pitch, drums last */
  voices: ScoreVoice[];
}

/** The most pitched voices that ABC software can play: MIDI's sixteen channels without the drum channel. */
export const MAX_PITCHED_VOICES = 15;

/** Larger chords are neither written nor read: the time to join their ties grows with the square of their size. */
export const MAX_NOTES_IN_CHORD = 2048;

/** Compares notes in the order of `ScoreVoice.notes`. */
export function compareNotes(a: ScoreNote, b: ScoreNote): number {
  return a.start - b.start || b.duration - a.duration || a.pitch - b.pitch || a.program - b.program;
}

/** The number of notes in all voices. */
export function countNotes(score: Score): number {
  return score.voices.reduce((sum, voice) => sum + voice.notes.length, 0);
}
