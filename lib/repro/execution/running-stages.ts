/**
 * What runs now, for other terminals: `repro status` and `repro log` read what every running repro keeps in
 * .repro/running, one file a process.
 *
 *   .repro/running/PID.json  {"pid", "since", "stages": {"train": {"started", "log", "gpus", "progress"}}}
 *
 * The file is written a moment after a change, so stages that are over at once cost nothing. It is gone when its repro
 * ends. What a killed repro left does not count, because no process with this id and start time is there.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bootId, writeAtomically } from '../files/index.ts';
import { readUtf8 } from '../freshness/index.ts';
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
  progress?: ProgressUpdate;
}

/** The stages that one repro runs. */
interface RunningRepro {
  pid: number;
  /** Of its process: the boot of the machine and the start time, because process ids are reused. */
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
    this.#file = join(root, FOLDER, `${process.pid}.json`);
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
    rmSync(this.#file, { force: true });
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => this.#write(), DELAY).unref();
  }

  /** Nothing depends on the record, so a full disk is no reason to end. */
  #write(): void {
    this.#timer = undefined;
    const record: RunningRepro = {
      pid: process.pid,
      since: since(process.pid),
      stages: Object.fromEntries(this.#stages),
    };
    try {
      mkdirSync(join(this.#root, FOLDER), { recursive: true });
      writeAtomically(this.#file, JSON.stringify(record), { fsync: false });
    } catch {}
  }
}

/** Files of repros that are gone, as absolute paths. */
export function leftRecords(root: string): string[] {
  const folder = join(root, FOLDER);
  return namesIn(folder)
    .map((name) => join(folder, name))
    .filter((path) => startTimeOf(Number(basename(path, '.json'))) === undefined);
}

/** The stages that any repro runs in this project now, each with the process id of its repro. */
export function runningStages(root: string): Map<string, RunningRecord & { pid: number }> {
  const running = new Map<string, RunningRecord & { pid: number }>();
  for (const name of namesIn(join(root, FOLDER))) {
    const record = parseRecord(join(root, FOLDER, name));
    if (record === undefined || since(record.pid) !== record.since) continue;
    for (const [stage, each] of Object.entries(record.stages)) running.set(stage, { ...each, pid: record.pid });
  }
  return running;
}

function since(pid: number): string {
  return `${bootId() ?? ''} ${startTimeOf(pid) ?? ''}`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+\.json$/.test(name));
  } catch {
    return []; // Nothing has run yet.
  }
}

/** undefined if the file has just been removed, or was cut short. */
function parseRecord(path: string): RunningRepro | undefined {
  try {
    const record = JSON.parse(readUtf8(path)) as Partial<RunningRepro> | null;
    const isRecord = typeof record?.pid === 'number' && typeof record.since === 'string' && isStages(record.stages);
    return isRecord ? (record as RunningRepro) : undefined;
  } catch {
    return undefined;
  }
}

function isStages(stages: unknown): boolean {
  if (typeof stages !== 'object' || stages === null) return false;
  return Object.values(stages).every((each) => typeof each?.started === 'string' && typeof each.log === 'string');
}
