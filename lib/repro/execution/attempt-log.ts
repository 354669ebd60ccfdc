/**
 * Attempts: when each stage ran, how long, how it ended, and what it said. A line each in .repro/attempts.jsonl, what a
 * stage said in .repro/logs. Durations from here say how long a stage is expected to take.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileNameFor } from '../pipeline/index.ts';

export interface Attempt {
  stage: string;
  /** ISO 8601 */
  started: string;
  seconds: number;
  outcome: 'ran' | 'failed' | 'interrupted';
  exit?: number;
  signal?: string;
  gpus?: readonly string[];
  /** bytes, of all its processes together, as sampled */
  peakMemory?: number;
  /** Relative to the root; absent when it said nothing. */
  log?: string;
}

const FILE = '.repro/attempts.jsonl';

export class AttemptLog {
  readonly #root: string;
  /** A descriptor to append to. */
  #file: number | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Oldest first. */
  attempts(stage?: string): Attempt[] {
    let text: string;
    try {
      text = readFileSync(join(this.#root, FILE), 'utf8');
    } catch {
      return [];
    }
    return text.split('\n').flatMap((line) => {
      try {
        const attempt = JSON.parse(line) as Attempt;
        return stage === undefined || attempt.stage === stage ? [attempt] : [];
      } catch {
        return []; // The end of a line that was being written when repro was killed.
      }
    });
  }

  /** Seconds by stage, from its last good run. */
  durations(): Map<string, number> {
    const ran = this.attempts().filter(({ outcome }) => outcome === 'ran');
    return new Map(ran.map(({ stage, seconds }) => [stage, seconds]));
  }

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

  /** A file for what one attempt says; it comes into being with the first word. Its path is relative to the root. */
  openLog(stage: string, started: Date): AttemptOutput {
    return new AttemptOutput(this.#root, () => {
      const stamp = started.toISOString().replaceAll(':', '-');
      return `.repro/logs/${fileNameFor(stage)}/${stamp}.log`;
    });
  }

  read(log: string): string {
    try {
      return readFileSync(join(this.#root, log), 'utf8');
    } catch {
      return '';
    }
  }
}

export class AttemptOutput {
  readonly #root: string;
  readonly #name: () => string;
  #path: string | undefined;

  /** `name`: the path, relative to the root. */
  constructor(root: string, name: () => string) {
    this.#root = root;
    this.#name = name;
  }

  /** Undefined when nothing was said. */
  get path(): string | undefined {
    return this.#path;
  }

  write(text: string): void {
    if (this.#path === undefined) {
      this.#path = this.#name();
      mkdirSync(dirname(join(this.#root, this.#path)), { recursive: true });
      writeFileSync(join(this.#root, this.#path), text);
    } else appendFileSync(join(this.#root, this.#path), text);
  }
}
