export { hashOf } from './data-hash.ts';
export { beginsStreams, planStreams, type Streams, streamOffsets } from './streams.ts';
export { checkSplit, inputsAndTargets, type Split, type TokenSource } from './token-source.ts';
