/** What a report is made of, as it is given, and as the page holds it. */
import type { RunRow, Study } from '../scaling/index.ts';
import type { Note, PackedNote } from './playback.ts';

export interface ReportPlot {
  /** an anchor in the page */
  name: string;
  /** the file's text */
  svg: string;
  caption: string;
}

export interface ReportSample {
  run: string;
  /** from 1, within the run */
  index: number;
  abc: string;
  /** either is played; where there is neither, the score is shown and not played */
  midiBase64?: string;
  notes?: Note[];
  /** whether the ABC is free of errors */
  valid: boolean;
  measures: number;
  /** by name, such as pitch_class_entropy */
  metrics?: Record<string, number>;
  /** what is wrong with it, where it is not valid */
  problem?: string;
}

export interface ReportData {
  title: string;
  results: RunRow[];
  study: Study;
  plots: ReportPlot[];
  samples: ReportSample[];
  /** params.yaml, as read */
  settings: Record<string, unknown>;
  /** what made this: commit, versions, machine, times; shown as it is */
  provenance: Record<string, string | number>;
}

/** A sample as the page holds it. */
export interface PageSample extends Omit<ReportSample, 'notes'> {
  score: string;
  packed: PackedNote[];
}

export interface ClientFiles {
  css: string;
  /** in the order in which they run */
  scripts: string[];
}
