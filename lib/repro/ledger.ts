/**
 * Attempts: when each stage ran, how long, how it ended, and what it said. A line each in .repro/attempts.jsonl, what a
 * stage said in .repro/logs. Durations from here say how long a stage is expected to take.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileNameFor } from './paths.ts';

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

export class Ledger {
  readonly #root: string;

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
    mkdirSync(join(this.#root, '.repro'), { recursive: true });
    appendFileSync(join(this.#root, FILE), `${JSON.stringify(attempt)}\n`);
  }

  /** A file for what one attempt says; it comes into being with the first word. Its path is relative to the root. */
  openLog(stage: string, started: Date): AttemptLog {
    const stamp = started.toISOString().replaceAll(':', '-');
    return new AttemptLog(this.#root, `.repro/logs/${fileNameFor(stage)}/${stamp}.log`);
  }

  read(log: string): string {
    try {
      return readFileSync(join(this.#root, log), 'utf8');
    } catch {
      return '';
    }
  }
}

export class AttemptLog {
  readonly #root: string;
  readonly #path: string;
  #begun = false;

  constructor(root: string, path: string) {
    this.#root = root;
    this.#path = path;
  }

  get path(): string | undefined {
    return this.#begun ? this.#path : undefined;
  }

  write(text: string): void {
    const path = join(this.#root, this.#path);
    if (this.#begun) {
      appendFileSync(path, text);
      return;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    this.#begun = true;
  }
}
