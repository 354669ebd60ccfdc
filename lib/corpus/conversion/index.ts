/**
 * MIDI files → ABC files.
 *
 *   convert.ts           convertCorpus: the whole folder, on worker threads
 *   convert-file.ts      the task: one file, in a worker thread
 *   conversion-memo.ts   results kept between runs
 */
export { type ConvertedCorpus, type ConvertOptions, convertCorpus } from './convert.ts';
