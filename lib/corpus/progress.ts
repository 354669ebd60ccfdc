/** Progress of the operations on a corpus. */

/** How far an operation is. */
export interface CorpusProgress {
  done: number;
  /** absent if it is not known */
  total?: number;
  /** of `done` and `total`: "files", "bytes", "pieces", "tunes" */
  unit: string;
  /** what is being worked on, such as a file name */
  text?: string;
}

/** Receives the progress of an operation, once per item or chunk. */
export type OnProgress = (progress: CorpusProgress) => void;
