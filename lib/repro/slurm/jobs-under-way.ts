/** The jobs of a project that are under way, by its files alone: no program of Slurm is called. */
import { join } from 'node:path';
import { type CellProgress, listNow, readCell, readOpenAttempts } from './attempt-files.ts';
import { folderOf } from './sbatch-args.ts';

/** A stage that is in the hands of Slurm, as far as the files say. */
export interface JobUnderWay {
  /** Undefined if repro was killed while it submitted it. */
  job?: string;
  submitted: string;
  /** Undefined while it waits. */
  progress?: CellProgress;
  /** It has ended, and the next repro takes its result. */
  hasEnded: boolean;
}

/** The open jobs, by stage. */
export function jobsUnderWay(root: string): Map<string, JobUnderWay> {
  const found = new Map<string, JobUnderWay>();
  for (const { id, job, submitted, cells } of readOpenAttempts(root)) {
    const results = new Set(listNow(join(root, folderOf(id), 'results')));
    const begun = new Set(listNow(join(root, folderOf(id), 'progress')));
    for (const [index, { stage }] of cells.entries()) {
      const name = String(index);
      const progress = begun.has(name) ? readCell<CellProgress>(root, id, 'progress', index) : undefined;
      found.set(stage, {
        ...(job === undefined ? {} : { job: `${job}_${index}` }),
        submitted,
        ...(progress === undefined ? {} : { progress }),
        hasEnded: results.has(name),
      });
    }
  }
  return found;
}
