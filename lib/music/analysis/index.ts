export { fingerprint } from './fingerprint.ts';
export { type Measures, measure, measureNotes, type StepNote } from './measures.ts';
export { type Shape, shapeOf, trimLeadingSilence } from './shape.ts';
export { pitchRange, transposeScore } from './transpose.ts';
