/** How the operations on a corpus tell how far they are. */
export interface CorpusProgress {
  done: number;
  /** absent where it is not known */
  total?: number;
  /** "files", "bytes", "pieces" */
  unit: string;
  text?: string;
}

export type OnProgress = (progress: CorpusProgress) => void;
