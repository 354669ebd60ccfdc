export { type SplitMetrics, type SplitOptions, splitCorpus } from './split.ts';
