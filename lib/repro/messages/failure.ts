/**
 * Why a stage failed or was skipped, as data, and the sentence that people read. The `end` events of a run carry both:
 * `reason` with its data, and the sentence as `message` or `because`.
 */
import { listNames } from './units.ts';

/** A command of a stage that failed. */
interface CommandFailure {
  /** The command's text, if the stage has several commands. */
  cmd?: string;
  exit?: number;
  signal?: string;
}

/** Why a stage failed. `paths` are relative to the pipeline's folder. */
export type Failure =
  | { reason: 'no-working-folder'; wdir: string }
  | (CommandFailure & { reason: 'not-started'; error: string })
  /** `timeout`: in seconds. */
  | (CommandFailure & { reason: 'timeout'; timeout: number })
  | (CommandFailure & { reason: 'signal'; signal: string })
  /** The shell did not find the program: exit code 127. */
  | (CommandFailure & { reason: 'not-found' })
  | (CommandFailure & { reason: 'exit' })
  /** repro itself got a signal while the command was running. */
  | (CommandFailure & { reason: 'interrupted' })
  /** The commands succeeded without making these outputs. */
  | { reason: 'missing-output'; paths: readonly string[] }
  /** These inputs changed while the commands were running: files, code entries or params files. */
  | { reason: 'inputs-moved'; paths: readonly string[] }
  /** These inputs existed when the plan was made, and are missing now. */
  | { reason: 'missing-input'; paths: readonly string[]; message: string }
  /** Any other error, such as a file that cannot be read or a disk that is full. */
  | { reason: 'error'; message: string };

/** Why a stage was skipped. `stages`: the upstream stages that failed or were skipped themselves. */
export type Skip =
  | { reason: 'upstream'; stages: readonly string[] }
  | { reason: 'stopped' }
  | { reason: 'interrupted' }
  /** repro ended before it did. `job`: the job of Slurm that goes on; undefined if it was not submitted. */
  | { reason: 'detached'; job?: string };

/** The shell's exit code for a command that SIGPIPE ended. */
const BROKEN_PIPE = 141;
const PIPE_HINT =
  ': a command of a pipeline wrote more than the next one read; if that is right, write (COMMAND || true) | …';

/**
 * The sentence about a failure, without the stage's name.
 *
 * @example describeFailure({ reason: 'exit', exit: 3 }) // 'its command ended with exit 3'
 */
export function describeFailure(failure: Failure): string {
  const command = 'cmd' in failure && failure.cmd !== undefined ? `\`${failure.cmd}\`` : 'its command';
  switch (failure.reason) {
    case 'no-working-folder':
      return `its working folder ${failure.wdir} does not exist`;
    case 'not-started':
      return `${command} could not be started: ${failure.error}`;
    case 'timeout':
      return `${command} took longer than its timeout of ${failure.timeout} s`;
    case 'signal':
      return `${command} was ended by ${failure.signal}`;
    case 'not-found':
      return `${command} was not found (exit ${failure.exit})`;
    case 'exit':
      return `${command} ended with exit ${failure.exit}${failure.exit === BROKEN_PIPE ? PIPE_HINT : ''}`;
    case 'interrupted':
      return 'it was interrupted';
    case 'missing-output':
      return `it succeeded but did not make ${failure.paths.join(', ')}`;
    case 'inputs-moved':
      return `${failure.paths.join(', ')} changed while the stage was running, so its outputs may not match its inputs. The outputs were kept but not recorded. Run repro again.`;
    case 'missing-input':
    case 'error':
      return failure.message;
  }
}

/** The sentence about a skipped stage, without the stage's name. */
export function describeSkip(skip: Skip): string {
  switch (skip.reason) {
    case 'upstream':
      return `${listNames(skip.stages)} did not succeed`;
    case 'stopped':
      return 'another stage failed';
    case 'interrupted':
      return 'repro was interrupted';
    case 'detached':
      return skip.job === undefined ? 'it was not submitted yet' : `it goes on as job ${skip.job}`;
  }
}
