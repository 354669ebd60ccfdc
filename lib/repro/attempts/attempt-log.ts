/**
 * The log of attempts: when each stage ran, for how long, and how it ended. Each attempt is a line of
 * .repro/attempts.jsonl; its output is a file in .repro/logs. expectation.ts forecasts by them.
 */
import { closeSync, mkdirSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { openFile } from '../freshness/index.ts';
import { describeError, warn } from '../messages/index.ts';
import { fileNameFor } from '../pipeline/index.ts';
import { type LastLines, lastLines, RECENT, textAsWritten, textOf } from './log-files.ts';

/** One run of one stage's commands, as it is recorded. */
export interface Attempt {
  stage: string;
  /** When it started, in ISO 8601. */
  started: string;
  seconds: number;
  outcome: 'ran' | 'failed' | 'interrupted';
  exit?: number;
  signal?: string;
  gpus?: readonly string[];
  /** Their model, the most memory that was in use on them, in bytes, and the percent of the time in which they were busy. */
  gpuUse?: { model: string; peakMemory: number; utilization: number };
  /** The job of Slurm, the node that it ran on, and the seconds that it waited in the queue. */
  job?: string;
  node?: string;
  queued?: number;
  /** Seconds that its `cost` command said before. */
  cost?: number;
  /** The most memory that all its processes together held, in bytes, as sampled. */
  peakMemory?: number;
  /** The file with its output, relative to the root; absent if there was no output. */
  log?: string;
}

const FILE = '.repro/attempts.jsonl';

/** Reads and writes the attempts of the project at a root folder. */
export class AttemptLog {
  readonly #root: string;
  /** File descriptor of .repro/attempts.jsonl, opened for appending by the first `record`. */
  #file: number | undefined;
  #isCutShort = false;

  constructor(root: string) {
    this.#root = root;
  }

  /** The attempts of one stage, or of all, oldest first. */
  attempts(stage?: string): Attempt[] {
    const found: Attempt[] = [];
    let rest = '';
    try {
      for (const text of textOf(join(this.#root, FILE))) {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) {
          const attempt = parseAttempt(line);
          if (attempt && (stage === undefined || attempt.stage === stage)) found.push(attempt);
        }
      }
    } catch {} // The file does not exist or cannot be read.
    return found;
  }

  /** Appends an attempt. The record is not essential, so a full disk is only a reason for a warning. */
  record(attempt: Attempt): void {
    try {
      if (this.#file === undefined) {
        mkdirSync(join(this.#root, '.repro'), { recursive: true });
        this.#file = openFile(join(this.#root, FILE), 'a');
      }
      // A line that was cut short by a full disk must not spoil this one.
      const line = `${this.#isCutShort ? '\n' : ''}${JSON.stringify(attempt)}\n`;
      this.#isCutShort = true;
      this.#isCutShort = writeSync(this.#file, line) < Buffer.byteLength(line);
    } catch (error) {
      warn(`${FILE} cannot be written: ${describeError(error)}; how long ${attempt.stage} took is not remembered`);
    }
  }

  /**
   * The attempts that need not be remembered: all but recent ones and, of each stage of the pipeline, the last one and
   * the last that succeeded.
   *
   * @param age an attempt is recent if it started within so many seconds
   * @returns how many there are, and a function that forgets them; no stage may be running then
   */
  old(stages: Iterable<string>, age = RECENT): { count: number; forget(): void } {
    const live = new Set(stages);
    const all = this.attempts();
    const last = new Map(all.map((attempt) => [attempt.stage, attempt]));
    const lastRan = new Map(all.filter(({ outcome }) => outcome === 'ran').map((attempt) => [attempt.stage, attempt]));
    const isNeeded = (attempt: Attempt) =>
      Date.now() - Date.parse(attempt.started) <= age * 1000 ||
      (live.has(attempt.stage) && (last.get(attempt.stage) === attempt || lastRan.get(attempt.stage) === attempt));
    const kept = all.filter(isNeeded);
    return {
      count: all.length - kept.length,
      forget: () => {
        const text = kept.map((attempt) => `${JSON.stringify(attempt)}\n`).join('');
        if (kept.length < all.length) writeAtomically(join(this.#root, FILE), text, { fsync: true });
      },
    };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** The file for the output of one attempt. It is created by the first write. */
  openLog(stage: string, started: Date): AttemptOutput {
    const stamp = started.toISOString().replaceAll(':', '-');
    return new AttemptOutput(this.#root, `.repro/logs/${fileNameFor(stage)}/${stamp}.log`);
  }

  /**
   * The text of a log file in pieces; no pieces if the file does not exist. `log`: relative to the root, in .repro/logs.
   *
   * @param last only the last so many lines
   */
  *read(log: string, last?: number): Generator<string> {
    if (!isLog(log)) return;
    try {
      yield* textOf(join(this.#root, log), last);
    } catch {} // It was removed.
  }

  /** The text of a log file that is still written, as it comes: `textAsWritten`. */
  async *follow(log: string, last: number | undefined, isComplete: () => boolean): AsyncGenerator<string> {
    if (!isLog(log)) return;
    try {
      yield* textAsWritten(join(this.#root, log), last, isComplete);
    } catch {} // It was removed.
  }

  /** The last lines of a log file. */
  lastLines(log: string, count: number): LastLines {
    try {
      if (isLog(log)) return lastLines(join(this.#root, log), count);
    } catch {} // It was removed.
    return { lines: [], earlier: 0 };
  }
}

/** The path of a log is read from a file, which may have been edited. */
function isLog(log: string): boolean {
  return log.startsWith('.repro/logs/') && !log.split('/').includes('..');
}

/** undefined if repro was killed while it wrote this line. */
function parseAttempt(line: string): Attempt | undefined {
  try {
    const attempt = JSON.parse(line);
    return isAttempt(attempt) ? attempt : undefined;
  } catch {
    return undefined;
  }
}

function isAttempt(value: Partial<Attempt> | null): value is Attempt {
  return (
    typeof value?.stage === 'string' &&
    typeof value.started === 'string' &&
    typeof value.seconds === 'number' &&
    typeof value.outcome === 'string'
  );
}

/** The log file of one attempt. */
export class AttemptOutput {
  /** Where the file is, or will be when there is output: relative to the root. */
  readonly file: string;
  readonly #root: string;
  #path: string | undefined;
  #descriptor: number | undefined;
  #problem: string | undefined;

  constructor(root: string, file: string) {
    this.#root = root;
    this.file = file;
  }

  /** The path, relative to the root; undefined as long as there is no output. */
  get path(): string | undefined {
    return this.#path;
  }

  /** Why the output is not kept, or not kept whole: a sentence. The stage need not fail because of that. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Appends output. After a write has failed, nothing more is written. */
  write(text: string): void {
    if (this.#problem !== undefined) return;
    const path = this.file;
    try {
      if (this.#descriptor === undefined) {
        mkdirSync(dirname(join(this.#root, path)), { recursive: true });
        this.#descriptor = openFile(join(this.#root, path), 'w');
        this.#path = path;
      }
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
    } catch (error) {
      this.#problem = `${path} cannot be written: ${describeError(error)}; the output of this attempt is not kept`;
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
