/**
 * Probe jobs: before anything is submitted, a tiny job tests whether nodes see the project's folder, and after how
 * long. There is one for each set of options of the settings, once (known-nodes.ts).
 *
 *   this host                                node
 *   makes .repro/probes/…, calls sbatch  →  waits for the folder, writes `begun`
 *   sees `begun`, writes `fresh`          →  lists the folder until it has `fresh`, writes `seen`
 *   sees `seen`: so late is a file, there and back
 *
 * sbatch hands the script over, so it also runs on a node that does not see the folder. That job fails.
 */
import { randomBytes } from 'node:crypto';
import { ReproError } from '../../messages/index.ts';
import type { Stage } from '../../pipeline/index.ts';
import type { QueueRow } from '../answers.ts';
import { standingOf } from '../job-states.ts';
import { optionsOf } from '../sbatch-args.ts';
import type { SlurmSettings } from '../settings.ts';
import { sacct, sbatch, scancel, squeue } from '../slurm-programs.ts';
import { type KnownNode, probeKey, readKnownNodes, rememberNode } from './known-nodes.ts';
import { answersOf, makeProbeFolder, probeFolder, removeProbeFolder, writeFresh } from './probe-files.ts';

/** Milliseconds between two looks at the answers. */
const LOOK = 500;
/** Milliseconds after which it is said that a probe waits. */
const SAID_AFTER = 3000;

/** Parts that probes work with. */
export interface ProbeParts {
  root: string;
  settings: SlurmSettings;
  /** Receives sentences for the user. */
  tell(text: string): void;
  /** Ends the probes. */
  signal: AbortSignal;
}

/** The result of a probe. */
type Found =
  | { is: 'seen'; known: KnownNode }
  /** The nodes do not see this folder, or did not see it in time. `message` is a sentence. */
  | { is: 'hidden'; message: string }
  /** It is not known, and jobs are submitted all the same: a sentence. */
  | { is: 'unknown'; message: string };

/**
 * Submits a probe for each set of options that was not asked about before, and waits for the answers.
 *
 * @param stages that may run as jobs
 * @throws ReproError if nodes do not see the folder
 */
export async function probeNodes(stages: readonly Stage[], parts: ProbeParts): Promise<void> {
  const { root, settings, tell } = parts;
  const known = readKnownNodes(root);
  const asked = new Map<string, readonly string[]>();
  for (const stage of stages) {
    const key = probeKey(root, stage, settings);
    if (!known.has(key) && !asked.has(key)) asked.set(key, optionsOf(stage, settings));
  }
  if (!settings.probe || asked.size === 0) return;
  const problems: string[] = [];
  await Promise.all(
    [...asked].map(async ([key, options]) => {
      const found = await new Probe(options, parts).ask();
      if (found.is === 'hidden') problems.push(found.message);
      else if (found.is === 'unknown') {
        if (!parts.signal.aborted) tell(found.message);
      } else {
        rememberNode(root, key, found.known);
        const { node, seconds = 0 } = found.known;
        tell(`${node}${withOptions(options)} sees this folder: a file there, and its answer here, within ${seconds} s`);
      }
    }),
  );
  if (problems.length > 0 && !parts.signal.aborted) throw new ReproError(problems.map((message) => ({ message })));
}

/** One probe job. */
class Probe {
  readonly #parts: ProbeParts;
  readonly #options: readonly string[];
  readonly #name = `repro-probe-${randomBytes(6).toString('hex')}`;
  readonly #folder: string;
  #job: string | undefined;
  /** Times by `performance.now()`. */
  #freshAt: number | undefined;
  #goneAt: number | undefined;
  #nextPoll = 0;
  #row: QueueRow | undefined;
  #lastReason: string | undefined;

  constructor(options: readonly string[], parts: ProbeParts) {
    this.#options = options;
    this.#parts = parts;
    this.#folder = probeFolder(parts.root);
  }

  async ask(): Promise<Found> {
    const { settings, signal } = this.#parts;
    const script = makeProbeFolder(this.#folder, settings.latency);
    try {
      const answer = await sbatch(probeSubmission(this.#name, this.#options, settings.latency, script));
      if ('unclear' in answer) await scancel([`--name=${this.#name}`]);
      if (!('job' in answer)) return this.#unknown(Object.values(answer)[0]);
      this.#job = answer.job;
      const submitted = performance.now();
      this.#nextPoll = submitted + settings.poll * 1000;
      for (;;) {
        if (signal.aborted) return this.#unknown('interrupted');
        const found = this.#look() ?? (await this.#askSlurm(submitted));
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, LOOK));
      }
    } finally {
      if (this.#job !== undefined && this.#goneAt === undefined && this.#freshAt === undefined)
        await scancel([this.#job]);
      removeProbeFolder(this.#folder);
    }
  }

  /** Looks at what the node has written. */
  #look(): Found | undefined {
    const answers = answersOf(this.#folder);
    if (this.#freshAt === undefined) {
      if (answers.begun === undefined) return undefined;
      writeFresh(this.#folder);
      this.#freshAt = performance.now();
    }
    if (answers.seen === undefined) return undefined;
    const seconds = Math.ceil((performance.now() - this.#freshAt) / 100) / 10;
    return { is: 'seen', known: { node: answers.seen, at: new Date().toISOString(), seconds } };
  }

  /** Asks Slurm for the state of the job, if it is time to ask again. */
  async #askSlurm(submitted: number): Promise<Found | undefined> {
    const { settings, root } = this.#parts;
    const now = performance.now();
    if (this.#goneAt !== undefined) return this.#whenGone(now);
    if (now < this.#nextPoll) return undefined;
    this.#nextPoll = now + settings.poll * 1000;
    const rows = await squeue([this.#job!]);
    if (rows === undefined) return now - submitted > settings.patience * 1000 ? this.#unknown('squeue') : undefined;
    this.#row = rows[0] ?? (await sacct([this.#job!]))[0];
    const standing = this.#row === undefined ? ({ is: 'gone' } as const) : standingOf(this.#row);
    if (standing.is === 'gone') this.#goneAt = now;
    else if (standing.is === 'stuck') return this.#unknown(standing.reason);
    else if (standing.is === 'waiting') {
      if (now - submitted > settings.patience * 1000) return this.#unknown(`it waits: ${standing.reason}`);
      if (now - submitted > SAID_AFTER && this.#lastReason !== standing.reason) {
        this.#lastReason = standing.reason;
        this.#parts.tell(
          `job ${this.#job} waits (${standing.reason || 'PENDING'}); it checks whether nodes${withOptions(this.#options)} see ${root}`,
        );
      }
    }
    return undefined;
  }

  /** The job has left the queue, and its answer is not here. */
  #whenGone(now: number): Found | undefined {
    const { root, settings } = this.#parts;
    const state = this.#row?.state;
    if (state !== undefined && !/^(COMPLETED|FAILED)$/.test(state)) return this.#unknown(state);
    // The files that it has written may become visible late.
    if (state !== 'FAILED' && now - this.#goneAt! < settings.latency * 1000) return undefined;
    const { latency } = settings;
    const node = this.#row?.node || 'a node';
    const where = `${node}${withOptions(this.#options)}`;
    // A job that has COMPLETED has seen all that it waits for.
    const what =
      state === 'COMPLETED' || (state === undefined && this.#freshAt === undefined)
        ? `this host did not see what ${where} has written to ${root} within ${latency} s`
        : this.#freshAt === undefined
          ? `${where} does not see ${root}`
          : `${where} did not see a file of this host within ${latency} s`;
    const advice = 'put the project into a folder that this host and the nodes share';
    return { is: 'hidden', message: `${what}, so its jobs could not run: ${advice}; nothing was submitted` };
  }

  #unknown(why: string): Found {
    const message = `it is not known whether nodes${withOptions(this.#options)} see this folder: the job that checks it did not answer (${why}); stages are submitted anyway`;
    return { is: 'unknown', message };
  }
}

/** @example ' of --partition=gpu' */
function withOptions(options: readonly string[]): string {
  return options.length === 0 ? '' : ` of ${options.join(' ')}`;
}

/** The options of sbatch. The job is an array, as all others are, and short, so that it soon finds a place. */
function probeSubmission(name: string, options: readonly string[], latency: number, script: string): string[] {
  return [
    ...['--parsable', `--job-name=${name}`, '--chdir=/', '--output=/dev/null', '--no-requeue'],
    ...['--array=0', '-n1', '-N1', ...options, `--time=${Math.ceil((2 * latency + 60) / 60)}`, script],
  ];
}
