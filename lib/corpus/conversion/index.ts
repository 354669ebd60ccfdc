export { type ConvertedCorpus, type ConvertOptions, convertCorpus } from './convert.ts';
