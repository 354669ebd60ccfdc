/**
 * Functions of scores.
 *
 * - measures.ts: MusPy's measures
 * - fingerprint.ts: finds near-duplicates
 * - shape.ts: counts of bars, notes and silence
 * - transpose.ts: transposition
 */
export { fingerprint } from './fingerprint.ts';
export { type Measures, measure, measureNotes, type StepNote } from './measures.ts';
export { type Shape, shapeOf, trimLeadingSilence } from './shape.ts';
export { pitchRange, transposeScore } from './transpose.ts';
