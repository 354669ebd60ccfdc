/**
 * The log of attempts: when each stage ran, for how long, and how it ended. Each attempt is a line of
 * .repro/attempts.jsonl; its output is a file in .repro/logs. The duration of a stage's last run is its expected
 * duration.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileNameFor } from '../pipeline/index.ts';

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

  constructor(root: string) {
    this.#root = root;
  }

  /** The attempts of one stage, or of all, oldest first. */
  attempts(stage?: string): Attempt[] {
    let text: string;
    try {
      text = readFileSync(join(this.#root, FILE), 'utf8');
    } catch {
      return [];
    }
    return text.split('\n').flatMap((line) => {
      try {
        const attempt = JSON.parse(line);
        return isAttempt(attempt) && (stage === undefined || attempt.stage === stage) ? [attempt] : [];
      } catch {
        return []; // repro was killed while it wrote this line.
      }
    });
  }

  /** Seconds by stage, from the last attempt of each that succeeded. */
  durations(): Map<string, number> {
    const ran = this.attempts().filter(({ outcome }) => outcome === 'ran');
    return new Map(ran.map(({ stage, seconds }) => [stage, seconds]));
  }

  /** Appends an attempt. */
  record(attempt: Attempt): void {
    if (this.#file === undefined) {
      mkdirSync(join(this.#root, '.repro'), { recursive: true });
      this.#file = openSync(join(this.#root, FILE), 'a');
    }
    writeSync(this.#file, `${JSON.stringify(attempt)}\n`);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** The file for the output of one attempt. It is created by the first write. */
  openLog(stage: string, started: Date): AttemptOutput {
    return new AttemptOutput(this.#root, () => {
      const stamp = started.toISOString().replaceAll(':', '-');
      return `.repro/logs/${fileNameFor(stage)}/${stamp}.log`;
    });
  }

  /** The text of a log file; empty if there is none. `log`: relative to the root, in .repro/logs. */
  read(log: string): string {
    // The path is read from a file, which may have been edited.
    if (!log.startsWith('.repro/logs/') || log.split('/').includes('..')) return '';
    try {
      return readFileSync(join(this.#root, log), 'utf8');
    } catch {
      return '';
    }
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
  readonly #root: string;
  readonly #newPath: () => string;
  #path: string | undefined;

  /** `newPath` returns the path of the file, relative to the root. It is called at most once. */
  constructor(root: string, newPath: () => string) {
    this.#root = root;
    this.#newPath = newPath;
  }

  /** The path, relative to the root; undefined as long as there is no output. */
  get path(): string | undefined {
    return this.#path;
  }

  /** Appends output. */
  write(text: string): void {
    if (this.#path === undefined) {
      this.#path = this.#newPath();
      mkdirSync(dirname(join(this.#root, this.#path)), { recursive: true });
      writeFileSync(join(this.#root, this.#path), text);
    } else appendFileSync(join(this.#root, this.#path), text);
  }
}
