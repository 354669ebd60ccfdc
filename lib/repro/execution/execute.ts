/**
 * Carries out a plan. Each stage is one promise that awaits its upstream stages, then StageRunner brings it up to date.
 *
 *   remove what is left of removed cells → each stage, upstream first → write the lock → close leases and logs
 */

import { describeSystemError, ReproError } from '../messages/index.ts';
import { describeMissing, MissingInputs, type PlannedStage, type Project } from '../planning/index.ts';
import { clearLeft } from './clear-left.ts';
import { failedOutcome, type Listener, type Outcome } from './events.ts';
import { elsewhereOf, type RunOptions } from './run-options.ts';
import { StageRunner } from './stage-runner.ts';
import { TimeLeft } from './time-left.ts';

/** How a run ended. */
export interface RunResult {
  outcomes: ReadonlyMap<string, Outcome>;
  /** The signal that ended it early. */
  interrupted?: NodeJS.Signals;
  /** true: jobs of Slurm go on. */
  isDetached: boolean;
}

/** Stops a run. The first signal is passed on to the running commands. Any further one sends them SIGKILL. */
export interface Interrupt {
  onSignal(handler: (signal: NodeJS.Signals) => void): void;
}

/**
 * Runs or restores the stages of `plan` that are not fresh.
 *
 * @param plan from `makePlan`, with the same options, and with nothing run since
 * @param listen is called with every event, in order: `plan` first, `done` last
 * @returns the outcome of each stage; a stage that fails is an outcome, not an error
 * @throws ReproError if a stage needs more than this machine has
 */
export async function execute(
  project: Project,
  plan: readonly PlannedStage[],
  options: RunOptions,
  listen: Listener,
  interrupt: Interrupt,
): Promise<RunResult> {
  let timeLeft: TimeLeft | undefined;
  const tell: Listener = (event) => {
    listen(event);
    const seconds = timeLeft?.after(event);
    if (seconds !== undefined) listen({ event: 'remaining', seconds });
  };
  const runner = await StageRunner.open(project, plan, options, tell);
  timeLeft = new TimeLeft(
    project,
    plan,
    options.expectation.seconds,
    () => runner.capacity(),
    undefined,
    elsewhereOf(options.slurm),
  );
  interrupt.onSignal((signal) => runner.interrupt(signal));
  return new Execution(project, plan, options, tell, runner).complete();
}

class Execution {
  readonly #project: Project;
  readonly #plan: readonly PlannedStage[];
  readonly #options: RunOptions;
  readonly #listen: Listener;
  readonly #runner: StageRunner;
  readonly #outcomes = new Map<string, Promise<Outcome>>();
  readonly #started = performance.now();

  constructor(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
    runner: StageRunner,
  ) {
    this.#project = project;
    this.#plan = plan;
    this.#options = options;
    this.#listen = listen;
    this.#runner = runner;
  }

  async complete(): Promise<RunResult> {
    const { left = [], commit = true } = this.#options;
    this.#listen({
      event: 'plan',
      jobs: this.#runner.jobs,
      ...(left.length > 0 ? { left } : {}),
      stages: this.#plan.map(({ stage, status }) => ({
        stage: stage.name,
        state: status.state,
        reasons: status.reasons,
        expected: this.#runner.expectedSeconds(stage.name),
      })),
    });
    for (const problem of this.#options.expectation.problems) this.#listen({ event: 'note', ...problem });
    const outcomes = new Map<string, Outcome>();
    try {
      if (left.length > 0)
        for (const note of await clearLeft(this.#project, left, this.#runner.stageLeases!, { commit }))
          this.#listen({ event: 'note', ...note });
      // The plan is in the graph's order, so the promises of upstream stages are there before they are awaited.
      for (const planned of this.#plan) this.#outcomes.set(planned.stage.name, this.#complete(planned));
      for (const [name, outcome] of this.#outcomes) outcomes.set(name, await outcome);
      this.#writeLock(outcomes);
    } finally {
      await this.#runner.close();
    }
    const { interrupted } = this.#runner;
    const count = (outcome: Outcome['outcome']) => [...outcomes.values()].filter((o) => o.outcome === outcome).length;
    this.#listen({
      event: 'done',
      ran: count('ran'),
      restored: count('restored'),
      fresh: count('fresh'),
      skipped: count('skipped'),
      failed: count('failed'),
      seconds: (performance.now() - this.#started) / 1000,
      hashed: this.#project.hasher.hashed,
      ...(interrupted ? { interrupted } : {}),
    });
    return { outcomes, interrupted, isDetached: this.#runner.isDetached };
  }

  /** Writes the blocks that the lock file does not have yet. If that fails, their stages have failed. */
  #writeLock(outcomes: Map<string, Outcome>): void {
    try {
      this.#project.lock.flush();
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      for (const stage of this.#project.lock.unwritten) {
        if (outcomes.get(stage)?.outcome === 'failed') continue;
        this.#listen({ event: 'note', stage, text: `${error.message}; its result is not recorded` });
        outcomes.set(stage, failedOutcome({ reason: 'error', message: error.message }, 0));
      }
    }
  }

  /** Resolves when the stage has been brought up to date, or cannot be. */
  async #complete(planned: PlannedStage): Promise<Outcome> {
    const { stage } = planned;
    const upstream = this.#project.graph.upstream.get(stage.name)!.filter((name) => this.#outcomes.has(name));
    const outcomes = await Promise.all(upstream.map((name) => this.#outcomes.get(name)!));
    const blocking = upstream.filter((_, i) => ['failed', 'skipped'].includes(outcomes[i].outcome));
    let outcome: Outcome;
    if (blocking.length > 0) outcome = this.#runner.skipped({ reason: 'upstream', stages: blocking });
    else {
      try {
        const isUpstreamUnchanged = outcomes.every((o) => o.outcome === 'fresh');
        const isForced = this.#options.forceDownstream === true && !isUpstreamUnchanged;
        outcome = await this.#runner.bringUpToDate(planned, isUpstreamUnchanged, isForced);
      } catch (error) {
        outcome = failedWith(error, this.#project.root);
      }
    }
    if (outcome.outcome === 'failed' && !this.#options.keepGoing) this.#runner.stop();
    this.#listen({ event: 'end', stage: stage.name, ...outcome });
    return outcome;
  }
}

/**
 * The outcome of a stage that could not be compared with its last run, restored or recorded. Any error other than a
 * ReproError or an error of the system is a bug and is thrown again.
 */
function failedWith(error: unknown, root: string): Outcome {
  const message = describeSystemError(error, root);
  if (message !== undefined) return failedOutcome({ reason: 'error', message }, 0);
  if (!(error instanceof ReproError)) throw error;
  if (!(error instanceof MissingInputs)) return failedOutcome({ reason: 'error', message: error.message }, 0);
  // The message of the error itself starts with the stage's name, which every view prints already.
  const messages = error.missing.map((input) => describeMissing(input)).join('\n');
  return failedOutcome({ reason: 'missing-input', paths: error.missing.map(({ path }) => path), message: messages }, 0);
}
