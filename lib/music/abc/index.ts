/**
 * ABC notation: reading, checking, playing and writing.
 *
 * Reading:
 * - parse-abc.ts: text to Tune; lines, fields, voices
 * - read-notes-and-chords.ts: the music of a line; voice-builder.ts: bars, layers, ties, tuplets
 * - lines.ts: music, fields and text; abc-fields.ts: values of M, L, Q and P; key-field.ts: values of K and V
 * - tune.ts: the types
 * - perform-tune.ts: Tune to NoteSequence, with ties joined; play-order.ts: repeats, endings and parts
 * - check-abc.ts: the problems of a text
 *
 * Writing:
 * - write-abc.ts: Score to text; header and layout
 * - write-notes-and-chords.ts: notes, chords, rests and fields of a bar
 * - layers.ts: overlapping notes to parallel layers
 * - rhythm.ts: the sounds of a layer to plain durations and tuplets; tuplets.ts: the kinds of tuplets
 * - pieces.ts: the list of pieces that layers are written to
 * - note-lengths.ts, accidentals.ts, spelling.ts: the parts of a note's text
 * - ascii-text.ts, number-list.ts: reused buffers
 */
export { pitchAt } from './abc-fields.ts';
export { checkAbc, checkTune } from './check-abc.ts';
export { lengthTexts } from './note-lengths.ts';
export { parseAbc } from './parse-abc.ts';
export { performTune } from './perform-tune.ts';
export { MAX_PLAIN_STEPS } from './pieces.ts';
export { keyText, LETTER_SEMITONES, positionText, signature } from './spelling.ts';
export {
  type BarChange,
  type Field,
  type Metre,
  metreDuration,
  type Problem,
  type ProblemKind,
  type Remark,
  type Tune,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
} from './tune.ts';
export { MAX_TUPLET_NOTES, mayBound, QUINTUPLET, TRIPLET, type TupletKind, tupletStep, tupletText } from './tuplets.ts';
export { type Layout, writeAbc } from './write-abc.ts';
