/** lib/music: MIDI files, ABC text, and the score between them. Pure functions; nothing here reads or writes a file. */
export { checkAbc } from './abc-check.ts';
export { parseAbc } from './abc-parse.ts';
export { abcToMidi, abcToScore } from './abc-to-midi.ts';
export { type Layout, writeAbc } from './abc-write.ts';
export { type ComposeOptions, composePiece, styleNames } from './compose.ts';
export { MusicError } from './errors.ts';
export { fingerprint } from './fingerprint.ts';
export { detectKey, type Key } from './key.ts';
export { type Measures, measure, measureNotes, type StepNote } from './measures.ts';
export { readMidi } from './midi-read.ts';
export { type AbcResult, type MidiToAbcOptions, midiToAbc, midiToScore } from './midi-to-abc.ts';
export type { Part, Performance, PlayedNote } from './performance.ts';
export type { Score, ScoreBar, ScoreNote, ScoreVoice } from './score.ts';
export { type Shape, shapeOf, trimLeadingSilence } from './shape.ts';
export { pitchRange, transposeAbc, transposeScore } from './transpose.ts';
export { type Trimmed, trimToCompleteBars } from './trim.ts';
export type { Problem, ProblemKind, Tune, TuneBar, TuneNote, TuneVoice } from './tune.ts';
