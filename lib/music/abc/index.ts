/**
 * ABC notation: reading, playing, checking and writing.
 *
 * - tune.ts: the types of a parsed text; spelling.ts: names of pitches; tuplets.ts: the tuplets of the dialect
 * - reading/: text to Tune, from parse-abc.ts down
 * - playing/: perform-tune.ts makes a NoteSequence of a Tune; play-order.ts writes out repeats, endings and parts;
 *   check-abc.ts lists the problems of a text
 * - writing/: Score to text, from write-abc.ts down; layers.ts makes layers, rhythm.ts durations and tuplets
 */
export { checkAbc, checkTune } from './playing/check-abc.ts';
export { performTune } from './playing/perform-tune.ts';
export { pitchAt } from './reading/abc-fields.ts';
export { isJump } from './reading/jumps.ts';
export { parseAbc } from './reading/parse-abc.ts';
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
export { lengthTexts } from './writing/note-lengths.ts';
export { MAX_PLAIN_STEPS } from './writing/pieces.ts';
export { type Layout, writeAbc } from './writing/write-abc.ts';
