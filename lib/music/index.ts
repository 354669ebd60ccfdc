/** lib/music: MIDI files, ABC text, and the score between them. Pure functions; nothing here reads or writes a file. */
export {
  type BarChange,
  checkAbc,
  type Field,
  type Layout,
  type Metre,
  metreDuration,
  type Problem,
  type ProblemKind,
  parseAbc,
  positionText,
  type Tune,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
  writeAbc,
} from './abc/index.ts';
export { abcToMidi, abcToScore } from './abc-to-midi.ts';
export {
  fingerprint,
  type Measures,
  measure,
  measureNotes,
  pitchRange,
  type Shape,
  type StepNote,
  shapeOf,
  transposeScore,
  trimLeadingSilence,
} from './analysis/index.ts';
export { readMidi } from './midi/index.ts';
export { type AbcResult, type MidiToAbcOptions, midiToAbc, midiToScore } from './midi-to-abc.ts';
export {
  detectKey,
  type Key,
  MusicError,
  type NoteSequence,
  type Part,
  type PlayedNote,
  type Score,
  type ScoreBar,
  type ScoreNote,
  type ScoreVoice,
} from './model/index.ts';
export { transposeAbc } from './transpose-abc.ts';
export { type Trimmed, trimToCompleteBars } from './trim.ts';
