/**
 * The report of a study: one HTML page that works offline.
 *
 *   report.ts          writeReport: prepares the samples and writes the file
 *   page.ts            the frame of the page, and the list of its sections
 *   findings.ts, figures.ts, listen.ts, run-table.ts, about.ts   the sections
 *   headline.ts        headlineText: the findings in five lines
 *   methods.ts         methodsText, bibtex: a paragraph for a paper, and a citation
 *   music-source.ts    musicSource: which music the study learned from, in words
 *   data-facts.ts      dataFacts: counts of files, tunes and tokens
 *   data.ts            the data that the page shows
 *   score.ts           layOutScore: ABC of a sample → ABC for drawing
 *   drum-notation.ts   staff positions of drums
 *   playback.ts        MIDI of a sample → notes for the synthesizer
 *   measures.ts        names and meanings of the measures of a sample
 *   instruments.ts     names of the General MIDI programs
 *   numbers.ts         numbers and counts in text
 *   plot-svg.ts        refuses plots with scripts, links or addresses
 *   vega-script.ts     Vega's runtime and interpreter as one script
 *   dark-plots.ts      colours of the plots on light and dark screens
 *   html.ts            templates with escaping
 *   client/            style sheet and scripts of the page: sorting, zoom and tooltips, scores, the synthesizer
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
export { dataFacts } from './data-facts.ts';
export { headlineText } from './headline.ts';
export { bibtex, methodsText, type Software, type StudySettings } from './methods.ts';
export { musicSource } from './music-source.ts';
export { formatDuration } from './numbers.ts';
export type { Note } from './playback.ts';
export { writeReport } from './report.ts';
