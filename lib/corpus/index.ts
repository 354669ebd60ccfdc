/**
 * Data sets of music, in the order of the pipeline. The stages download, convert and split call one function each.
 *
 *   sources/      fetchDataset: compose, copy, download or unpack a data set into a folder of music files
 *   archives/     reading tar, tar.gz and zip safely
 *   conversion/   convertCorpus: music files → ABC files, on worker threads, with a memo between runs
 *   splitting/    splitCorpus: filter, remove duplicates, split into train, val and test
 *   workers/      running one task per file on worker threads
 *   folder.ts     listing and writing folders
 *   progress.ts   progress reports
 *   errors.ts     CorpusError and DiskError
 */
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
