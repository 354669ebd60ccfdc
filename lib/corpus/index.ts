/** Data sets of music: where they come from, how they become text, and how they are filtered, deduplicated and split. */
export { DEFAULT_LIMITS, type UnpackLimits } from './archives/index.ts';
export { type ConvertedCorpus, type ConvertOptions, convertCorpus } from './conversion/index.ts';
export { CorpusError } from './errors.ts';
export type { Skipped } from './folder.ts';
export type { CorpusProgress, OnProgress } from './progress.ts';
export {
  type DatasetSource,
  type FetchedDataset,
  type FetchOptions,
  fetchDataset,
  KNOWN_DATASETS,
  type KnownDataset,
} from './sources/index.ts';
export { type SplitMetrics, type SplitOptions, splitCorpus } from './splitting/index.ts';
