/** The data of a report: the input of writeReport, and its form in the page. */
import type { InteractivePlot } from '../plots/index.ts';
import type { RunRow, Study } from '../scaling/index.ts';
import type { Note, PackedNote } from './samples/index.ts';

/** A plot of the report. */
export interface ReportPlot {
  /** names the plot's anchor in the page */
  name: string;
  /** an `<svg>` element by lib/plots, whose ids begin with the plot's name */
  svg: string;
  caption: string;
  /** what the plot shows, for readers who do not see it. Default: the caption */
  description?: string;
  /** the plot in its narrow layout, which a phone shows. Its ids differ from those of `svg` */
  narrowSvg?: string;
  /** the plot as it reacts to the pointer; without it, or without JavaScript, the drawing is shown */
  interactive?: { wide: InteractivePlot; narrow?: InteractivePlot };
  /** files beside the page: name → address relative to it */
  files?: Record<string, string>;
}

/** A generated tune of the report. */
export interface ReportSample {
  run: string;
  /** number of the sample within the run and its kind, from 1 */
  index: number;
  /** whether it was drawn under the rules of the dialect, or freely. Default: free */
  kind?: 'constrained' | 'free';
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

/** The samples of one run, or of all: those drawn under the rules of the dialect, and those drawn freely. */
export interface Validities {
  constrained?: Validity;
  free?: Validity;
}

/** Where the music of the study comes from. */
export interface MusicSource {
  /** one sentence that begins with "The music" */
  sentence: string;
  /** the same within a sentence, such as "music composed by a grammar" */
  phrase: string;
  licence?: string;
}

/** Counts of the data: sections with a name and value for each fact. */
export interface DataSection {
  title: string;
  facts: [name: string, value: string | number][];
}

/** A file that the page holds: a download that works without the file's neighbours. */
export interface ReportFile {
  name: string;
  type: 'text/csv' | 'application/json' | 'text/plain';
  text: string;
}

/** Everything that the page shows. */
export interface ReportData {
  title: string;
  results: RunRow[];
  study: Study;
  plots: ReportPlot[];
  samples: ReportSample[];
  /** of the samples drawn under the rules of the dialect, and of those drawn freely; undefined if there are none */
  validity: Validities;
  /** the same for each run */
  runValidity?: Record<string, Validities>;
  /** undefined if it is not known */
  music?: MusicSource;
  data?: DataSection[];
  /** downloads within the page */
  files?: ReportFile[];
  /** text of the section Methods, in paragraphs */
  methods?: string[];
  /** BibTeX */
  citation?: string;
  /** sections of params.yaml */
  settings: Record<string, unknown>;
  /** details of how the results were made (engine, versions, times), shown unchanged */
  provenance: Record<string, string | number>;
  /** what the stages made: path and SHA-256 */
  hashes?: { stage: string; path: string; sha256: string }[];
}

/** A sample in its form for the page: with a score to draw, and notes to play. */
export interface PageSample extends Omit<ReportSample, 'notes'> {
  score: string;
  /** the score with fewer bars on a line, for phones */
  narrowScore: string;
  packed: PackedNote[];
}

/** Style sheet and scripts of the page. */
export interface ClientFiles {
  css: string;
  /** in the order in which they must run */
  scripts: string[];
}
