/**
 * Character, BPE and music tokenizers, and the store of token ids that training reads.
 *
 *   tokenizer.ts         the interface of all tokenizers
 *   char-tokenizer.ts    one token per character
 *   bpe/                 byte-level byte-pair encoding: training, encoding, decoding
 *   music/               one token per element of ABC notation: note, duration, bar line, …
 *   tokenizer-file.ts    reading and writing tokenizer.json
 *   load.ts              opens a tokenizer.json of any of the three kinds
 *   store/               the token store: ids of the train, val and test splits in one LMDB file
 *   corpus.ts            the tokenize stage: splits in, a tokenizer and a token store out
 *   text-constraint.ts   the tokens whose text may come next, for sampling
 *   statistics.ts        token frequencies and tune lengths, for the metrics of that stage
 */
export {
  type BpeOptions,
  BpeTokenizer,
  type BpeTrainingOptions,
  type Pretokenizer,
  type TrainingProgress,
} from './bpe/index.ts';
export { CharTokenizer, UNKNOWN } from './char-tokenizer.ts';
export {
  type CorpusMetrics,
  type CorpusOptions,
  type CorpusProgress,
  type SplitMetrics,
  tokenizeCorpus,
} from './corpus.ts';
export { TokenizerError } from './errors.ts';
export { loadTokenizer } from './load.ts';
export { MusicTokenizer } from './music/index.ts';
export type { TokenStatistics } from './statistics.ts';
export {
  type Extent,
  exportBin,
  SPLITS,
  type Split,
  type StoreOptions,
  TokenStore,
  TokenStoreWriter,
  type Totals,
} from './store/index.ts';
export { TextConstraint, type TextState } from './text-constraint.ts';
export { END_OF_TEXT, type Encoded, type TokenArray, type Tokenizer } from './tokenizer.ts';
