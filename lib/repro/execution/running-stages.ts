/**
 * The stages that run now, for other terminals: `repro status` and `repro log` read what every running repro keeps in
 * .repro/running, one file a process.
 *
 *   .repro/running/HOST-PID.json  {"host", "pid", "since", "stages": {"train": {"started", "log", "gpus", "progress"}}}
 *
 * The file is written a moment after a change, so very short stages cost nothing. It is gone when its repro
 * ends. A file that a killed repro left does not count, because no process with this id and start time is there, or its
 * host does not have the folder.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Host, thisHost, writeAtomically } from '../files/index.ts';
import { readUtf8 } from '../freshness/index.ts';
import { otherHost } from '../hosts/index.ts';
import { startTimeOf } from '../processes/index.ts';
import type { ProgressUpdate } from '../stage-api/index.ts';

const FOLDER = '.repro/running';
/** Milliseconds from a change to the write that shows it. */
const DELAY = 300;

/** A stage that runs now. */
export interface RunningRecord {
  /** When it started, in ISO 8601. */
  started: string;
  /** The file for its output, relative to the root. It appears with the first output. */
  log: string;
  gpus?: readonly string[];
  /** The job of Slurm, and the node that it runs on. */
  job?: string;
  node?: string;
  /** It waits for its turn; undefined if it runs. */
  queued?: { reason?: string };
  progress?: ProgressUpdate;
}

/** The stages that one repro runs. */
interface RunningRepro {
  host: Host;
  pid: number;
  /** The start time of its process, because process ids are reused. */
  since: string;
  stages: Record<string, RunningRecord>;
}

/** The record of the stages that this process runs. */
export class RunningStages {
  readonly #root: string;
  readonly #file: string;
  readonly #stages = new Map<string, RunningRecord>();
  #timer: NodeJS.Timeout | undefined;

  constructor(root: string) {
    this.#root = root;
    this.#file = join(root, FOLDER, `${thisHost().id}-${process.pid}.json`);
  }

  start(stage: string, running: RunningRecord): void {
    this.#stages.set(stage, running);
    this.#writeSoon();
  }

  progress(stage: string, progress: ProgressUpdate): void {
    const running = this.#stages.get(stage);
    if (running === undefined) return;
    running.progress = progress;
    this.#writeSoon();
  }

  end(stage: string): void {
    this.#stages.delete(stage);
    this.#writeSoon();
  }

  close(): void {
    clearTimeout(this.#timer);
    try {
      rmSync(this.#file, { force: true });
    } catch {} // Its folder is not one. Nothing depends on the record.
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => this.#write(), DELAY).unref();
  }

  /** Nothing depends on the record, so a full disk is no reason to end. */
  #write(): void {
    this.#timer = undefined;
    const record: RunningRepro = {
      host: thisHost(),
      pid: process.pid,
      since: startTimeOf(process.pid) ?? '',
      stages: Object.fromEntries(this.#stages),
    };
    try {
      mkdirSync(join(this.#root, FOLDER), { recursive: true });
      writeAtomically(this.#file, JSON.stringify(record), { fsync: false });
    } catch {}
  }
}

/** Files of repros that are gone, as absolute paths. Call it only while this host has the folder. */
export function leftRecords(root: string): string[] {
  const folder = join(root, FOLDER);
  return namesIn(folder)
    .filter((name) => {
      const [host, pid] = basename(name, '.json').split('-');
      return host !== thisHost().id || startTimeOf(Number(pid)) === undefined;
    })
    .map((name) => join(folder, name));
}

/** A stage that runs now, and the repro that runs it. */
export interface RunningStage extends RunningRecord {
  /** The process id of the repro. */
  pid: number;
  /** The name of its host, if that is another one. */
  host?: string;
}

/** The stages that any repro runs in this project now. */
export function runningStages(root: string): Map<string, RunningStage> {
  const running = new Map<string, RunningStage>();
  const other = otherHost(root);
  for (const name of namesIn(join(root, FOLDER))) {
    const record = parseRecord(join(root, FOLDER, name));
    if (record === undefined) continue;
    const { host, pid, since, stages } = record;
    const isHere = host.id === thisHost().id;
    if (isHere ? startTimeOf(pid) !== since : host.id !== other?.id) continue;
    for (const [stage, each] of Object.entries(stages))
      running.set(stage, { ...each, pid, ...(isHere ? {} : { host: host.name }) });
  }
  return running;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^[0-9a-f]{8}-\d+\.json$/.test(name));
  } catch {
    return []; // Nothing has run yet.
  }
}

/** undefined if the file has just been removed, or was cut short. */
function parseRecord(path: string): RunningRepro | undefined {
  try {
    const record = JSON.parse(readUtf8(path)) as Partial<RunningRepro> | null;
    const isRecord =
      typeof record?.host?.id === 'string' &&
      typeof record.pid === 'number' &&
      typeof record.since === 'string' &&
      isStages(record.stages);
    return isRecord ? (record as RunningRepro) : undefined;
  } catch {
    return undefined;
  }
}

function isStages(stages: unknown): boolean {
  if (typeof stages !== 'object' || stages === null) return false;
  return Object.values(stages).every((each) => typeof each?.started === 'string' && typeof each.log === 'string');
}
