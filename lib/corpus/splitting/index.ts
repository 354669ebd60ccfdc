/**
 * ABC files → train.jsonl, val.jsonl and test.jsonl.
 *
 *   split.ts          splitCorpus: the steps in order
 *   inspect-file.ts   the task: figures of one tune, in a worker thread
 *   filters.ts        the limits that a tune must not exceed
 *   duplicates.ts     equal and similar tunes
 *   near-duplicates.ts  groups of tunes that are renderings of one piece
 *   assignment.ts     assigns each tune to a split
 *   tune-text.ts      a tune's text without leading silence, or transposed
 *   statistics.ts     histograms and character counts
 */
export { type SplitMetrics, type SplitOptions, splitCorpus } from './split.ts';
