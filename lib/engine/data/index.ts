/**
 * Tokens for training and evaluation: the interface of a token source (token-source.ts), the windows that a step reads
 * (random-offsets.ts, or streams.ts if the state is carried), and a hash of the tokens (hash-tokens.ts).
 */
export { hashTokens } from './hash-tokens.ts';
export { randomOffsets } from './random-offsets.ts';
export { beginsStreams, cutIntoStreams, type Streams, streamOffsets } from './streams.ts';
export { checkSplit, inputsAndTargets, type Split, type TokenSource } from './token-source.ts';
