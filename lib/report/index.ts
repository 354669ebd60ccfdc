/**
 * The report of a study: one HTML page that works offline.
 *
 *   report.ts          writeReport: prepares the samples and writes the file
 *   page.ts            the sections of the page
 *   data.ts            the data that the page shows
 *   score.ts           layOutScore: ABC of a sample → ABC for drawing
 *   drum-notation.ts   staff positions of drums
 *   playback.ts        MIDI of a sample → notes for the synthesizer
 *   measures.ts        names and meanings of the measures of a sample
 *   instruments.ts     names of the General MIDI programs
 *   dark-plots.ts      colours of the plots on light and dark screens
 *   html.ts            templates with escaping
 *   client/            style sheet and scripts of the page: sorting tables, drawing scores, the synthesizer
 */
export type { ReportData, ReportPlot, ReportSample, Validity } from './data.ts';
export type { Note } from './playback.ts';
export { writeReport } from './report.ts';
