/**
 * MIDI, ABC and MusicXML files → ABC files in the dialect, one for each tune.
 *
 *   convert.ts           convertCorpus: the whole folder, on worker threads
 *   convert-file.ts      the task: one file, in a worker thread
 *   tune-book.ts         the tunes of an ABC file
 *   musicxml-file.ts     the text of a MusicXML file, also a compressed one
 *   plan-files.ts        the ABC files of each music file
 *   conversion-record.ts the results of each file, so that the next run leaves out files that did not change
 *   conversion-memo.ts   results kept between runs
 */
export { type ConvertedCorpus, type ConvertOptions, convertCorpus } from './convert.ts';
