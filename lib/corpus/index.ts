/** Data sets of music: where they come from, how they become text, and how they are filtered, deduplicated and split. */
export { DEFAULT_LIMITS, type UnpackLimits } from './archive.ts';
export { type ConvertedCorpus, type ConvertOptions, convertCorpus } from './convert.ts';
export { KNOWN_DATASETS, type KnownDataset } from './datasets.ts';
export { CorpusError } from './errors.ts';
export { type DatasetSource, type FetchedDataset, type FetchOptions, fetchDataset } from './fetch.ts';
export type { Skipped } from './folder.ts';
export type { CorpusProgress, OnProgress } from './progress.ts';
export { type SplitMetrics, type SplitOptions, splitCorpus } from './split.ts';
