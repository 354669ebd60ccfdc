/** Progress of the operations on a corpus. */

/** The progress of an operation. */
export interface CorpusProgress {
  done: number;
  /** absent if it is not known */
  total?: number;
  /** unit of `done` and `total`: "files", "bytes", "pieces", "tunes" */
  unit: string;
  /** the current item, such as a file name */
  text?: string;
}

/** Receives the progress of an operation, once per item or chunk. */
export type OnProgress = (progress: CorpusProgress) => void;
