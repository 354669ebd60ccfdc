/**
 * The NoteSequence type: notes in time, as a MIDI file holds them and as an ABC tune sounds. It has no bars and no
 * spelling; those are in score.ts.
 */

/** A note with its time. */
export interface PlayedNote {
  /** ticks from the beginning */
  start: number;
  /** ticks; may be 0 in a MIDI file */
  duration: number;
  /** MIDI note number, 0–127, middle C is 60; for drums, the General MIDI percussion key */
  pitch: number;
  /** General MIDI program, 0–127; for drums, the kit */
  program: number;
}

/** The notes of one channel of a track, or of one voice of a tune. */
export interface Part {
  drum: boolean;
  /** in order of start; notes with one start in the order of the file */
  notes: PlayedNote[];
}

/** A tempo from a tick on. */
export interface TempoChange {
  tick: number;
  microsecondsPerBeat: number;
}

/** A metre from a tick on. */
export interface MetreChange {
  tick: number;
  numerator: number;
  /** a power of two */
  denominator: number;
}

/** A key from a tick on. */
export interface KeyChange {
  tick: number;
  /** number of sharps, −7…7; flats are negative */
  fifths: number;
  minor: boolean;
}

/** Notes with tempos, metres and keys, each in order of tick. A beat is a quarter note in every metre. */
export interface NoteSequence {
  ticksPerBeat: number;
  parts: Part[];
  tempos: TempoChange[];
  metres: MetreChange[];
  keys: KeyChange[];
}

/** Microseconds per quarter note at 120 a minute, MIDI's tempo for files without one. */
export const DEFAULT_TEMPO = 500_000;
