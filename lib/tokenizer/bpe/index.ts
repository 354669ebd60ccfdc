/**
 * Byte-level byte-pair encoding (BPE).
 *
 *   bpe-tokenizer.ts    the tokenizer: train, load, encode, decode
 *   bpe-training.ts     training: documents in, merges and a vocabulary out
 *   bpe-file.ts         its tokenizer.json
 *   bpe-reference.ts    the definition of training and encoding, short and slow; the tests compare the others with it
 *   bpe-typescript.ts   fast training and encoding in TypeScript, used if the addon is not built
 *   native.ts           loads native/bpe, the fastest implementation
 *   merges.ts           the types that the implementations share
 *   byte-level.ts       bytes as the printable characters of GPT-2
 *   pretokenizer.ts     cuts documents into pieces, which no merge crosses
 */
export { type BpeOptions, BpeTokenizer } from './bpe-tokenizer.ts';
export type { BpeTrainingOptions, TrainingProgress } from './bpe-training.ts';
export type { Implementation } from './native.ts';
export type { Pretokenizer } from './pretokenizer.ts';
