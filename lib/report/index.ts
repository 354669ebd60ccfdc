/** The report of a study as one HTML page that fetches nothing. */
export type { ReportData, ReportPlot, ReportSample } from './data.ts';
export type { Note } from './playback.ts';
export { writeReport } from './report.ts';
