/**
 * An executor makes the outputs of stages: on this machine (local-executor.ts), or on the nodes of a cluster (slurm/).
 * It runs commands and takes outputs into the cache. It writes neither the lock nor the run cache; its
 * caller records the result.
 *
 *   const { made } = await executor.make({ stage, inputs, key, … });
 *   if (made.failure === undefined) await recordStage(project, stage, …, made);
 */
import type { Content } from '../hashing/index.ts';
import type { Failure } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { GpuFigures } from '../processes/index.ts';
import type { Fingerprint } from '../storage/index.ts';

/** A report of a stage while it runs or waits. */
export type StageEvent =
  | { event: 'progress'; stage: string; done: number; total?: number; unit?: string; text?: string }
  | { event: 'output'; stage: string; text: string }
  | { event: 'note'; stage?: string; text: string };

/** How the commands of a stage ended, and what they made. */
export interface Made {
  seconds: number;
  /** Why the stage failed; undefined if it succeeded. */
  failure?: Failure;
  /** The outputs in the cache, by path; undefined if the stage failed, or nothing is to be recorded. */
  outs?: { [path: string]: Content };
  /** Paths in outputs that do not count, because an ignore rule leaves them out. */
  ignored?: readonly string[];
}

/** A stage that is to be made now. */
export interface Work {
  stage: Stage;
  /** The stage's inputs as they are now. */
  inputs: Fingerprint;
  /** `fingerprintKey(stage, inputs)`. */
  key: string;
  /** Ids of the GPUs of this machine that the stage has for itself. */
  gpus: readonly string[];
  /** Bytes of this machine's memory that the stage may use while others run, see `memoryShare`. */
  memoryShare: number;
  /** false (--no-commit): nothing is written to the cache. */
  commit: boolean;
  /** true (-f): an incremental stage begins with nothing. */
  fromNothing: boolean;
  /** The params files that programs of such stages read from copies, as far as that is known. */
  readFromCopy: ReadonlySet<string>;
  listen(event: StageEvent): void;
  /** Called once, when the commands begin. */
  begin(where: Place): void;
  /** Called each time that the stage waits for its turn elsewhere. */
  wait?(where: Waiting): void;
}

/** Where the commands of a stage run. */
export interface Place {
  /** When they began, in ISO 8601. */
  started: string;
  /** The file for their output, relative to the root. It appears with the first output. */
  log: string;
  gpus?: readonly string[];
  /** The job of Slurm, such as 4711_3. */
  job?: string;
  /** The node that the job runs on. */
  node?: string;
}

/** The job that a stage waits for. */
export interface Waiting {
  /** The job of Slurm. */
  job: string;
  /** When it was submitted, in ISO 8601. */
  since: string;
  /** Slurm's reason, such as Priority. */
  reason?: string;
}

/** An attempt that has ended. */
export interface Attempted {
  made: Made;
  /** When the commands began, in ISO 8601. */
  started: string;
  /** The file with their output, relative to the root; undefined if there was none. */
  log?: string;
  /** Bytes; 0 if it is not known. */
  peakMemory: number;
  /** The params files that the stage's programs have read from copies. */
  readFromCopy: ReadonlySet<string>;
  gpus?: readonly string[];
  /** How it used them, if that is known. */
  gpuUse?: GpuFigures;
  job?: string;
  node?: string;
  /** Seconds from its submission to its start. */
  queued?: number;
  /** To be called when it is recorded: until then, a repro that takes over can take it again. */
  release?(): void;
}

/** An attempt that goes on elsewhere after this process has ended. */
export interface Detached {
  /** The job; undefined if it was not submitted yet. */
  detached: { job?: string };
}

/** Nothing has run, because these inputs were not as expected. The stage is to be judged anew. */
export interface Moved {
  moved: readonly string[];
}

/** Makes stages, several at once. */
export interface Executor {
  /**
   * Makes the outputs of one stage.
   *
   * @throws ReproError if an old output cannot be removed; then nothing has run
   */
  make(work: Work): Promise<Attempted | Detached | Moved>;
  /**
   * Ends what runs. `make` then returns failures of the kind `interrupted`.
   *
   * @param isRepeated the user has asked for it before
   */
  interrupt(signal: NodeJS.Signals, isRepeated: boolean): void;
  /** To be called when every `make` has returned. */
  close(): Promise<void>;
}
