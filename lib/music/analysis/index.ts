/**
 * Functions of scores.
 *
 * - measures.ts: MusPy's measures
 * - fingerprint.ts: finds transpositions and near-copies; sketch.ts: finds renderings of one piece
 * - shape.ts: counts of bars, notes and silence
 * - transpose.ts: transposition
 */
export { fingerprint } from './fingerprint.ts';
export { type Measures, measure, measureNotes, type StepNote } from './measures.ts';
export { type Shape, shapeOf, trimLeadingSilence } from './shape.ts';
export { SKETCH_SIZE, sketchOf, sketchSimilarity } from './sketch.ts';
export { pitchRange, transposeScore } from './transpose.ts';
