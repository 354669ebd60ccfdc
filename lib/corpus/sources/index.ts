export { KNOWN_DATASETS, type KnownDataset } from './datasets.ts';
export { type DatasetSource, type FetchedDataset, type FetchOptions, fetchDataset } from './fetch.ts';
