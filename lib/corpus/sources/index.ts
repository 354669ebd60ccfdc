/**
 * Sources of data sets.
 *
 *   fetch.ts      fetchDataset: from a name, a folder, an archive or a URL to a folder of music files
 *   download.ts   downloads with resume and verification
 *   datasets.ts   the data sets known by name
 */
export { KNOWN_DATASETS, type KnownDataset } from './datasets.ts';
export { type DatasetSource, type FetchedDataset, type FetchOptions, fetchDataset } from './fetch.ts';
