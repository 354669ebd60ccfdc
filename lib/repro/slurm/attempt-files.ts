/**
 * The files of an attempt at the stages of one array, that the host of repro and the nodes exchange:
 *
 *   .repro/jobs/ID/attempt.json        the data that all cells share
 *   .repro/jobs/ID/job.sh              the script that Slurm runs
 *   .repro/jobs/ID/cells/INDEX.json    the stage of one cell, with its inputs
 *   .repro/jobs/ID/tokens/INDEX/token  the fence: without it, the node ends its commands and writes no result
 *   .repro/jobs/ID/progress/INDEX      the progress of the cell, written by the node
 *   .repro/jobs/ID/results/INDEX       the result of the cell, written by the node
 *   .repro/jobs/ID/slurm-INDEX.log     the output of the job outside its commands
 *   .repro/jobs/shared/HASH.json       parts that several attempts share
 *   .repro/jobs/journal.jsonl          see journal-entries.ts
 *
 * Clients of NFS remember for up to 30 s that a name was not there, so no file is asked for by its name before it was
 * seen in a listing.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Json, unpackJson } from '../documents/index.ts';
import { isTemporary, temporaryPath, writeAtomically } from '../files/index.ts';
import { openFile, readUtf8, readUtf8OrUndefined } from '../freshness/index.ts';
import { sha256 } from '../hashing/index.ts';
import type { Made } from '../making/index.ts';
import { ReproError } from '../messages/index.ts';
import type { GpuFigures } from '../processes/index.ts';
import type { Fingerprint, LockedStage } from '../storage/index.ts';
import { type JournalEntry, type OpenAttempt, openAttempts } from './journal-entries.ts';
import type { Remembered } from './remembered.ts';
import { folderOf } from './sbatch-args.ts';

const JOBS = '.repro/jobs';
const JOURNAL = `${JOBS}/journal.jsonl`;

/** The file that all cells of an attempt share. */
export interface AttemptFile {
  id: string;
  /** The folder of pipeline.yaml, absolute. */
  root: string;
  /** Hashes of the files in .repro/jobs/shared with the pipeline, and with hashes that are known. */
  pipeline: string;
  remembered: string;
  commit: boolean;
  fromNothing: boolean;
  /** Seconds: see SlurmSettings. */
  latency: number;
  fence: number;
}

/** The stage that one cell makes, with its recorded inputs. */
export interface CellFile {
  stage: string;
  key: string;
  inputs: Fingerprint;
  /** The texts of params files; null if there is none. */
  params: { [file: string]: string | null };
  /** The params files that programs of such stages read from copies. */
  readFromCopy: string[];
  recorded: { [stage: string]: LockedStage };
}

/** How far a cell is. */
export interface CellProgress {
  /** When its commands began, in ISO 8601. */
  started: string;
  log: string;
  /** The log exists. */
  hasOutput?: true;
  node: string;
  /** The task of the array, such as 4711_3. */
  job?: string;
  gpus: string[];
  /** Bytes that the job has. */
  memory?: number;
  progress?: { done: number; total?: number; unit?: string; text?: string };
}

/** How a cell ended. */
export interface CellResult {
  id: string;
  key: string;
  started: string;
  node: string;
  /** The task of the array, such as 4711_3. */
  job?: string;
  /** How often Slurm has started the job again. */
  restarts: number;
  gpus: string[];
  log?: string;
  /** Bytes that the job has, and the most that its commands were seen with. */
  memory?: number;
  peakMemory: number;
  gpuUse?: GpuFigures;
  readFromCopy: string[];
  notes: string[];
  /** These inputs were not as expected, so nothing has run. */
  moved?: string[];
  made?: Made;
  /** The commands ended after the job got SIGTERM. */
  wasTerminated?: true;
  /** Processes of the job that were killed for want of memory, as its cgroup counts them. */
  oomKills: number;
  /** Hashes of the outputs. */
  learned: Remembered;
  /** The list of the files of each output that is a folder, by its path. */
  manifests?: { [path: string]: string };
}

/** Writes the files of a new attempt, its tokens last. */
export function writeAttempt({ root, id, ...shared }: AttemptFile, cells: readonly CellFile[], script: string): void {
  const folder = join(root, folderOf(id));
  for (const name of ['cells', 'progress', 'results']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'attempt.json'), JSON.stringify({ root, id, ...shared } satisfies AttemptFile));
  writeFileSync(join(folder, 'job.sh'), script);
  for (const [index, cell] of cells.entries()) {
    writeFileSync(join(folder, `cells/${index}.json`), JSON.stringify(cell));
    mkdirSync(join(folder, `tokens/${index}`), { recursive: true });
    writeFileSync(join(folder, `tokens/${index}/token`), id);
  }
}

/** Keeps a value that attempts share. @returns its name for `readShared` */
export function writeShared(root: string, value: unknown): string {
  const text = JSON.stringify(value);
  const name = sha256(text).slice(0, 32);
  const file = join(root, JOBS, 'shared', `${name}.json`);
  if (readUtf8OrUndefined(file) !== text) {
    mkdirSync(join(root, JOBS, 'shared'), { recursive: true });
    writeAtomically(file, text, { fsync: false });
  }
  return name;
}

/** Reads what `writeShared` wrote. */
export function readShared<T>(root: string, name: string): T {
  return readJson<T>(join(root, JOBS, 'shared', `${name}.json`));
}

/**
 * Reads a file of an attempt; a number that was written as 1.0 is one again. @throws Error of node:fs if it is not
 * there
 */
export function readJson<T>(file: string): T {
  return unpackJson(readUtf8(file)) as unknown as T;
}

/**
 * The names in a folder, as the server has them now: a change of our own makes a client that keeps listings ask again.
 *
 * @returns undefined if the folder is not there, or the file system does not answer
 */
export function listNow(folder: string): string[] | undefined {
  const trial = temporaryPath(join(folder, 'look'));
  try {
    writeFileSync(trial, '');
    rmSync(trial);
  } catch {} // The disk is full, or the folder is gone; the listing shows which.
  try {
    return readdirSync(folder).filter((name) => !isTemporary(name));
  } catch {
    return undefined;
  }
}

/** Whether a cell may go on, see `removeToken`; undefined if the file system does not answer now. */
export function hasToken(root: string, id: string, index: number): boolean | undefined {
  const folder = join(root, folderOf(id), `tokens/${index}`);
  return listNow(folder)?.includes('token') ?? (existsSync(folder) ? undefined : false);
}

/** Ends an attempt at a cell for good: it writes no result from now on. */
export function removeToken(root: string, id: string, index: number): void {
  rmSync(join(root, folderOf(id), `tokens/${index}/token`), { force: true });
}

/** Writes a result, or how far a cell is. */
export function writeCell(
  root: string,
  id: string,
  kind: 'results' | 'progress',
  index: number,
  value: CellResult | CellProgress,
): void {
  const file = join(root, folderOf(id), kind, String(index));
  writeAtomically(file, JSON.stringify(value), { fsync: kind === 'results' });
}

/** Reads a result, or how far a cell is; undefined if the file is damaged. */
export function readCell<T extends CellResult | CellProgress>(
  root: string,
  id: string,
  kind: 'results' | 'progress',
  index: number,
): T | undefined {
  try {
    return readJson<T>(join(root, folderOf(id), kind, String(index)));
  } catch {
    return undefined;
  }
}

/** Whether a node has written the result of a cell. */
export function hasResult(root: string, id: string, index: number): boolean {
  return listNow(join(root, folderOf(id), 'results'))?.includes(String(index)) ?? false;
}

/** Whether the files of an attempt are there. */
export function isAttemptThere(root: string, id: string): boolean {
  return existsSync(join(root, folderOf(id), 'attempt.json'));
}

/** Reads what a cell was to make; undefined if that is not known any more. */
export function readCellFile(root: string, id: string, index: number): CellFile | undefined {
  try {
    return readJson<CellFile>(join(root, folderOf(id), `cells/${index}.json`));
  } catch {
    return undefined;
  }
}

/** The output of the job outside its commands; '' if it has none. */
export function jobLog(root: string, id: string, index: number): string {
  return readUtf8OrUndefined(join(root, folderOf(id), `slurm-${index}.log`)) ?? '';
}

/** Appends to the log of an attempt that the node has begun. The node may have ended before it made the log. */
export function appendToLog(root: string, log: string, text: string): void {
  if (!isLog(log)) return;
  try {
    mkdirSync(dirname(join(root, log)), { recursive: true });
    appendFileSync(join(root, log), text);
  } catch {} // The disk is full. The log is not essential.
}

/** The path of a log was read from a file, which may be damaged. */
export function isLog(log: string): boolean {
  return log.startsWith('.repro/logs/') && !log.split('/').includes('..');
}

/** Removes the files of an attempt that is over. A node that still has it finds no token. */
export function removeAttempt(root: string, id: string): void {
  rmSync(join(root, folderOf(id)), { recursive: true, force: true, maxRetries: 3 });
}

/** The attempts of the project that are not over. */
export function readOpenAttempts(root: string): OpenAttempt[] {
  // Asking first: most projects have none.
  if (!existsSync(join(root, JOURNAL))) return [];
  return openAttempts(readUtf8OrUndefined(join(root, JOURNAL)) ?? '');
}

/**
 * Appends to the journal. The line is on the disk when this returns.
 *
 * @throws ReproError if it cannot be written
 */
export function note(root: string, entry: JournalEntry): void {
  try {
    mkdirSync(join(root, JOBS), { recursive: true });
    const descriptor = openFile(join(root, JOURNAL), 'a');
    try {
      // The line before may have been cut short by a full disk or a power cut.
      writeSync(descriptor, `\n${JSON.stringify(entry as unknown as Json)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new ReproError(`${JOURNAL} cannot be written: ${(error as Error).message}`, 1);
  }
}

/** Removes the journal and what attempts share, if none of them is open. */
export function removeJournal(root: string): void {
  if (!existsSync(join(root, JOURNAL)) || readOpenAttempts(root).length > 0) return;
  rmSync(join(root, JOBS), { recursive: true, force: true });
}
