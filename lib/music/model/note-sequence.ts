/**
 * A sequence: notes in time, as a MIDI file holds them and as an ABC tune sounds. No bars, no spelling: see score.ts.
 */

/** One note as it is played. */
export interface PlayedNote {
  /** in ticks from the beginning */
  start: number;
  /** in ticks; a MIDI file may have notes of 0 */
  duration: number;
  /** MIDI note number, 0–127, 60 being middle C; on drums, the General MIDI percussion key */
  pitch: number;
  /** General MIDI program, 0–127; on drums, the kit */
  program: number;
}

/** What one player plays: a channel of a track, or a voice of a tune. */
export interface Part {
  drum: boolean;
  /** in order of start, then of the file */
  notes: PlayedNote[];
}

export interface TempoChange {
  tick: number;
  microsecondsPerBeat: number;
}

export interface MetreChange {
  tick: number;
  numerator: number;
  /** a power of two */
  denominator: number;
}

export interface KeyChange {
  tick: number;
  /** sharps, or flats below zero: −7…7 */
  fifths: number;
  minor: boolean;
}

/** A beat is a quarter note throughout. Changes are in order of tick. */
export interface NoteSequence {
  ticksPerBeat: number;
  parts: Part[];
  tempos: TempoChange[];
  metres: MetreChange[];
  keys: KeyChange[];
}

/** 120 quarter notes a minute: what MIDI means where a file says nothing. */
export const DEFAULT_TEMPO = 500_000;
