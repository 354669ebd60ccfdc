/** Character, byte-pair and music tokenizers, and the store of tokens that training reads. */
export { type BpeOptions, BpeTokenizer } from './bpe.ts';
export type { BpeTrainingOptions, TrainingProgress } from './bpe-training.ts';
export { CharTokenizer, UNKNOWN } from './char.ts';
export {
  type CorpusMetrics,
  type CorpusOptions,
  type CorpusProgress,
  type SplitMetrics,
  tokenizeCorpus,
} from './corpus.ts';
export { exportBin } from './export-bin.ts';
export { loadTokenizer } from './load.ts';
export { MusicTokenizer } from './music.ts';
export type { Pretokenizer } from './pretokenizer.ts';
export type { TokenStatistics } from './statistics.ts';
export { TokenStore } from './store.ts';
export { type Extent, SPLITS, type Split, type Totals } from './store-layout.ts';
export { type StoreOptions, TokenStoreWriter } from './store-writer.ts';
export { END_OF_TEXT, type Encoded, type TokenArray, type Tokenizer, TokenizerError } from './tokenizer.ts';
