export type { Note } from './playback.ts';
export { type ReportData, type ReportPlot, type ReportSample, writeReport } from './report.ts';
