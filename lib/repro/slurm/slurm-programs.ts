/** Calls the programs of Slurm. */
import { ReproError } from '../messages/index.ts';
import { callProgram } from '../programs/index.ts';
import {
  type Answer,
  parseAccounting,
  parseMaxArraySize,
  parseQueue,
  parseSubmitted,
  type QueueRow,
  type Submitted,
  wordsOf,
} from './answers.ts';
import { environmentForSlurm } from './sbatch-args.ts';

/** Milliseconds that a program may take. sbatch itself tries for some time if the queue is full. */
const PATIENCE = { sbatch: 300_000, other: 60_000 };
/** The most ids of one call. */
const MOST_IDS = 1000;
const MOST_CANCELLED = 100;

/** sacct, if it answers, reports how jobs ended that squeue no longer lists. */
let hasAccounting = true;

/** Calls a program. It never throws: a program that is not there has the code 127. */
async function call(program: string, args: readonly string[]): Promise<Answer> {
  const { exitCode, error, stdout, stderr } = await callProgram(program, args, {
    env: environmentForSlurm(process.env),
    timeout: program === 'sbatch' ? PATIENCE.sbatch : PATIENCE.other,
    // Ctrl-C must stop only repro: sbatch must still report whether it has submitted the job.
    detached: true,
  });
  const isMissing = error?.code === 'ENOENT';
  return {
    code: isMissing ? 127 : exitCode,
    out: stdout,
    err: isMissing ? `${program}: not found` : stderr.trimEnd(),
  };
}

/** Submits a job. @param args from `submission` */
export async function sbatch(args: readonly string[]): Promise<Submitted> {
  return parseSubmitted(await call('sbatch', args));
}

/**
 * Asks `sbatch --test-only` whether some partition can hold a job. No job is submitted.
 *
 * @param args options of sbatch
 * @returns Slurm's words if none can; undefined if one can, or Slurm does not answer now
 * @throws ReproError if there is no sbatch
 */
export async function testOnly(args: readonly string[]): Promise<string | undefined> {
  const answer = await call('sbatch', ['--test-only', ...args]);
  if (answer.code === 127)
    throw new ReproError(
      'there is no sbatch on the PATH, so no job can be submitted from this host: run repro on a login node of the cluster, or with --on local',
    );
  if (answer.code === 0) return undefined;
  const submitted = parseSubmitted(answer);
  return 'refused' in submitted ? submitted.refused : undefined;
}

/**
 * The tasks of jobs that Slurm knows, by one call for all.
 *
 * @returns undefined if Slurm does not answer
 */
export async function squeue(jobs: readonly string[]): Promise<QueueRow[] | undefined> {
  const rows: QueueRow[] = [];
  for (let start = 0; start < jobs.length; start += MOST_IDS) {
    const ids = jobs.slice(start, start + MOST_IDS).join(',');
    const { code, out, err } = await call('squeue', ['--me', '-h', '-t', 'all', '-j', ids, '-o', '%F|%K|%T|%r|%N']);
    // A job that ended a while ago is not known any more.
    if (code !== 0 && !/invalid job id/i.test(err)) return undefined;
    rows.push(...parseQueue(out));
  }
  return rows;
}

/**
 * The job with a name.
 *
 * @returns null if there is none; undefined if Slurm does not answer
 */
export async function jobNamed(name: string): Promise<string | null | undefined> {
  const { code, out } = await call('squeue', ['--me', '-h', '-t', 'all', '-n', name, '-o', '%F']);
  if (code !== 0) return undefined;
  return /^\d+$/m.exec(out)?.[0] ?? null;
}

/** The final states of jobs that squeue no longer lists. Empty if the site keeps no accounting. */
export async function sacct(jobs: readonly string[]): Promise<QueueRow[]> {
  if (!hasAccounting || jobs.length === 0) return [];
  const ids = jobs.slice(0, MOST_IDS).join(',');
  const { code, out } = await call('sacct', ['-X', '-P', '-n', '-o', 'JobID,State,NodeList', '-j', ids]);
  if (code !== 0) hasAccounting = false;
  return code === 0 ? parseAccounting(out) : [];
}

/** Whether the site keeps accounting, as far as is known: sacct has not failed. */
export function keepsAccounting(): boolean {
  return hasAccounting;
}

/** Cancels jobs or single tasks, such as 4711_3. @returns Slurm's words if it does not answer */
export async function scancel(jobs: readonly string[]): Promise<string | undefined> {
  for (let start = 0; start < jobs.length; start += MOST_CANCELLED) {
    const { code, err } = await call('scancel', jobs.slice(start, start + MOST_CANCELLED));
    // A job that has just ended cannot be cancelled.
    if (code !== 0 && !/invalid job id|already completing/i.test(err)) return wordsOf(err);
  }
  return undefined;
}

/** The most tasks of an array. */
export async function maxArraySize(): Promise<number> {
  const { out } = await call('scontrol', ['show', 'config']);
  return parseMaxArraySize(out) ?? 1001;
}
