/**
 * Functions of scores.
 *
 * - measures.ts: MusPy's measures; overlapping-area.ts: how far two sets of them agree
 * - bar-lengths.ts: how many bars are as long as their metre
 * - novelty.ts: the share of a tune that occurs in other tunes
 * - fingerprint.ts: finds transpositions and near-copies; sketch.ts: finds renderings of one piece
 * - shape.ts: counts of bars, notes and silence
 * - transpose.ts: transposition
 */

export { type BarLengths, barLengths } from './bar-lengths.ts';
export { fingerprint } from './fingerprint.ts';
export { type Measures, measure, measureNotes, type StepNote } from './measures.ts';
export { type Copies, CopyIndex, NGRAM } from './novelty.ts';
export { overlappingArea } from './overlapping-area.ts';
export { type Shape, shapeOf, trimLeadingSilence } from './shape.ts';
export { SKETCH_SIZE, sketchOf, sketchSimilarity } from './sketch.ts';
export { pitchRange, transposeScore } from './transpose.ts';
