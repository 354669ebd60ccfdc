/** The data of a report: the input of writeReport, and its form in the page. */
import type { RunRow, Study } from '../scaling/index.ts';
import type { Note, PackedNote } from './playback.ts';

/** A plot of the report. */
export interface ReportPlot {
  /** names the plot's anchor in the page */
  name: string;
  /** an `<svg>` element by lib/plots, whose ids begin with the plot's name */
  svg: string;
  caption: string;
}

/** A generated tune of the report. */
export interface ReportSample {
  run: string;
  /** number of the sample within the run, from 1 */
  index: number;
  abc: string;
  /** the sample as a MIDI file. If both this and `notes` are absent, the score is shown without a player */
  midiBase64?: string;
  /** played instead of the MIDI file */
  notes?: Note[];
  /** whether the ABC has no errors */
  valid: boolean;
  /** number of bars */
  measures: number;
  /** measures of the music by name, such as pitch_class_entropy (measures.ts) */
  metrics?: Record<string, number>;
  /** the first error of a sample that is not valid */
  problem?: string;
}

/** How many samples of all runs are valid ABC from beginning to end. */
export interface Validity {
  samples: number;
  valid: number;
  /** the share of valid ones: the ends of its interval */
  interval: [number, number];
}

/** Everything that the page shows. */
export interface ReportData {
  title: string;
  results: RunRow[];
  study: Study;
  plots: ReportPlot[];
  samples: ReportSample[];
  /** of the samples drawn under the rules of the dialect, and of those drawn freely; undefined if there are none */
  validity: { ruled?: Validity; free?: Validity };
  /** sections of params.yaml */
  settings: Record<string, unknown>;
  /** details of how the results were made (engine, versions, times), shown unchanged */
  provenance: Record<string, string | number>;
}

/** A sample in its form for the page: with a score to draw, and notes to play. */
export interface PageSample extends Omit<ReportSample, 'notes'> {
  score: string;
  packed: PackedNote[];
}

/** Style sheet and scripts of the page. */
export interface ClientFiles {
  css: string;
  /** in the order in which they must run */
  scripts: string[];
}
