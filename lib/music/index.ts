/**
 * lib/music: converts between MIDI files, ABC and scores, reads MusicXML, and measures music. Pure functions; nothing here opens a file.
 *
 *     MIDI bytes ── readMidi ──▶ NoteSequence ── quantise ──▶ Score ── writeAbc ──▶ ABC
 *                ◀─ writeMidi ──              ◀── performTune ── Tune ◀── parseAbc ──
 *   MusicXML ── readMusicXml ──▶
 *
 * - midi-to-abc.ts, abc-to-midi.ts, musicxml-to-abc.ts, rewrite-abc.ts, transpose-abc.ts: the conversions, in few lines each
 * - trim.ts: makes generated text valid; opening.ts: beginnings of tunes, as prompts
 * - midi/, abc/, musicxml/: the formats
 * - dialect/: which character may come next in a tune that is being generated
 * - quantise/: notes in time to notes on a grid, and the bars
 * - analysis/: measures, fingerprints, shapes and transposition of scores
 * - model/: NoteSequence, Score and Key, which all of them share
 */
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
  type Remark,
  type Tune,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
  writeAbc,
} from './abc/index.ts';
export { type AbcReading, abcToMidi, abcToScore, readAbc } from './abc-to-midi.ts';
export {
  type BarLengths,
  barLengths,
  type Copies,
  CopyIndex,
  fingerprint,
  type Measures,
  measure,
  measureNotes,
  overlappingArea,
  pitchRange,
  type Shape,
  SKETCH_SIZE,
  type StepNote,
  shapeOf,
  sketchOf,
  sketchSimilarity,
  transposeScore,
  trimLeadingSilence,
} from './analysis/index.ts';
export { TuneState } from './dialect/index.ts';
export { readMidi } from './midi/index.ts';
export {
  type AbcResult,
  type MidiFindings,
  type MidiToAbcOptions,
  type MidiToScoreOptions,
  midiToAbc,
  midiToScore,
} from './midi-to-abc.ts';
export {
  detectKey,
  type Key,
  MusicError,
  type NoteSequence,
  type Part,
  type PlayedNote,
  pitchClassDurations,
  type Score,
  type ScoreBar,
  type ScoreNote,
  type ScoreVoice,
} from './model/index.ts';
export { musicXmlToAbc, musicXmlToScore } from './musicxml-to-abc.ts';
export { opening, withHeader } from './opening.ts';
export { type RewriteOptions, rewriteAbc } from './rewrite-abc.ts';
export { transposeAbc } from './transpose-abc.ts';
export { type Trimmed, trimToCompleteBars } from './trim.ts';
