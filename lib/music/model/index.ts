/**
 * The types that all of lib/music shares.
 *
 * - note-sequence.ts: NoteSequence, notes in time
 * - score.ts: Score, notes on a grid with bars
 * - key.ts: keys, and the estimate of a key
 * - errors.ts: MusicError
 */
export { MusicError } from './errors.ts';
export {
  accidentalDuration,
  detectKey,
  type Key,
  keyFit,
  keyOn,
  type PitchClassDurations,
  pitchClassDurations,
} from './key.ts';
export {
  DEFAULT_TEMPO,
  type KeyChange,
  type MetreChange,
  type NoteSequence,
  type Part,
  type PlayedNote,
  type TempoChange,
} from './note-sequence.ts';
export {
  compareNotes,
  countNotes,
  MAX_NOTES_IN_CHORD,
  MAX_PITCHED_VOICES,
  type Score,
  type ScoreBar,
  type ScoreNote,
  type ScoreVoice,
  UNITS_PER_STEP,
  UNITS_PER_TRIPLET_STEP,
} from './score.ts';
