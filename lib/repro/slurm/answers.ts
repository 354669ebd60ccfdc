/** Parses the output of Slurm's programs. This file starts no process. */

/** A line of `squeue -h -o '%F|%K|%T|%r|%N'`, or of sacct: the state of one task of an array. */
export interface QueueRow {
  /** The job of the array. */
  job: string;
  index: number;
  /** Slurm's name of the state, such as PENDING. */
  state: string;
  /** Why it waits; '' if it does not. */
  reason: string;
  /** '' if it has none. */
  node: string;
  /** Who cancelled it, if Slurm says so. */
  by?: string;
}

/** Slurm does not name a task that has an index which is larger. */
const LARGEST_INDEX = 4_000_000;

/**
 * Parses the rows of squeue. A row of tasks that wait lists their indexes, such as `0-3,7%2`.
 *
 * @see squeue(1), "%K" and "%F"
 */
export function parseQueue(text: string): QueueRow[] {
  const rows: QueueRow[] = [];
  for (const line of text.split('\n')) {
    const [job, indexes, state, reason, node = ''] = line.trim().split('|');
    if (!/^\d+$/.test(job) || state === undefined) continue;
    for (const index of parseIndexes(indexes))
      rows.push({ job, index, state, reason: reason === 'None' ? '' : reason, node: node === '(null)' ? '' : node });
  }
  return rows;
}

/** @example parseIndexes('0-2,5,8-10:2%4') // [0, 1, 2, 5, 8, 10] */
export function parseIndexes(text: string): number[] {
  const found: number[] = [];
  for (const part of text.replace(/%\d+$/, '').split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? [];
    if (first === undefined || Number(last) > LARGEST_INDEX) continue;
    for (let index = Number(first); index <= Number(last); index += Math.max(1, Number(step))) found.push(index);
  }
  return found;
}

/** Parses the rows of `sacct -X -P -n -o JobID,State,NodeList`. */
export function parseAccounting(text: string): QueueRow[] {
  return text.split('\n').flatMap((line): QueueRow[] => {
    const [, job, index, state, by, node] = /^(\d+)_(\d+)\|(\w+)(?: by (\S+))?\|(.*)$/.exec(line.trim()) ?? [];
    if (job === undefined) return [];
    const known = node === 'None assigned' ? '' : node;
    return [{ job, index: Number(index), state, reason: '', node: known, ...(by === undefined ? {} : { by }) }];
  });
}

/** The result of a call of sbatch. */
export type Submitted =
  | { job: string; cluster?: string }
  /** The queue takes no more of this user now. */
  | { full: string }
  /** Slurm refuses it, in its own words. */
  | { refused: string }
  /** It may have been taken, or not. */
  | { unclear: string };

const FULL =
  /AssocMaxSubmitJobLimit|AssocGrpSubmitJobsLimit|QOSMaxSubmitJobPerUserLimit|QOSGrpSubmitJobsLimit|MaxJobCount|job submit limit|Slurm temporarily unable to accept job|Resource temporarily unavailable/i;
const UNCLEAR =
  /timed out|unable to contact|unexpected message|connection (refused|reset)|communication|zero bytes|protocol|not responding|controller/i;

/**
 * Reads the answer of sbatch --parsable.
 *
 * @param code the exit code; undefined if it was killed
 */
export function parseSubmitted({ code, out, err }: Answer): Submitted {
  const [, job, cluster] = /^(\d+)(?:;(\S+))?$/m.exec(out.trim()) ?? [];
  if (code === 0 && job !== undefined) return { job, ...(cluster === undefined ? {} : { cluster }) };
  const words = wordsOf(err);
  if (FULL.test(err)) return { full: words };
  // When sbatch reports a lost connection, the controller may have accepted the job already.
  if (code === undefined || code === 0 || UNCLEAR.test(err)) return { unclear: words || 'sbatch was killed' };
  return { refused: words || `sbatch ended with exit ${code}` };
}

/** The output and the exit code of a program; `code` is undefined if it was killed. */
export interface Answer {
  code: number | undefined;
  out: string;
  err: string;
}

/**
 * The sentence of an error, without the name of the program.
 *
 * @example wordsOf('sbatch: error: Batch job submission failed: Invalid partition name specified')
 *   // 'Invalid partition name specified'
 */
export function wordsOf(err: string): string {
  const lines = err
    .split('\n')
    .map((line) =>
      line
        .replace(/^s[a-z]+: /, '')
        .replace(/^error: /, '')
        .trim(),
    )
    .filter((line) => line !== '');
  const last =
    lines.findLast((line) => /failure|failed|invalid|unrecognized|not available/i.test(line)) ?? lines.at(-1);
  return (last ?? '').replace(/^(Batch job submission failed|allocation failure): /, '');
}

/**
 * The largest number of tasks of an array, from the output of `scontrol show config`; undefined if it is missing there.
 */
export function parseMaxArraySize(text: string): number | undefined {
  const [, size] = /^MaxArraySize\s*=\s*(\d+)/m.exec(text) ?? [];
  return size === undefined ? undefined : Number(size);
}
