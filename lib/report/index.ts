/**
 * The report of a study: one HTML page that works offline.
 *
 *   report.ts   writeReport: prepares the samples and writes the file
 *   page.ts     the frame of the page, and the list of its sections
 *   sections/   the sections: findings, plots, samples, runs, data, methods, provenance
 *   plots/      checks, colours and scripts for the plots of the page
 *   text/       findings, methods and facts in words
 *   samples/    scores and notes of the samples
 *   data.ts     the data that the page shows
 *   html.ts     templates with escaping
 *   client/     style sheet and scripts of the page: sorting, zoom and tooltips, scores, the synthesizer
 */
export type {
  DataSection,
  MusicSource,
  ReportData,
  ReportFile,
  ReportPlot,
  ReportSample,
  Validities,
  Validity,
} from './data.ts';
export { writeReport } from './report.ts';
export type { Note } from './samples/index.ts';
export {
  bibtex,
  dataFacts,
  formatDuration,
  headlineText,
  methodsText,
  musicSource,
  type Software,
  type StudySettings,
} from './text/index.ts';
