/**
 * Carries out a plan. Each stage is one promise that awaits its upstream stages. Pool decides which ready stage starts
 * next.
 *
 *   upstream done → decide → place in the pool, lease of the stage → decide again if another repro wrote the lock
 *   → restore, or attempt (attempt.ts) → lock
 *
 * Another repro may run stages of the same pipeline. A stage starts only while no other repro runs it, a stage that writes
 * what it reads, or one that reads what it writes.
 */

import { describeSystemError, listNames, ReproError, type Skip } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import {
  describeLacking,
  describeMissing,
  evaluate,
  type LeftOutput,
  MissingInputs,
  type PlannedStage,
  type PlanOptions,
  type Project,
  restorableFromLock,
  type SettledStatus,
} from '../planning/index.ts';
import { type Command, PeakMemory, ProcessGroups } from '../processes/index.ts';
import { attemptStage, paramsReadDirectly, restoreStage } from './attempt.ts';
import { AttemptLog } from './attempt-log.ts';
import { Capacity, checkFits, defaultJobs, memoryShare } from './capacity.ts';
import { clearLeft } from './clear-left.ts';
import { failedOutcome, type Listener, type Outcome, skippedOutcome } from './events.ts';
import { Leases } from './leases.ts';
import { type Machine, thisMachine } from './machine.ts';
import { ParamsCopies } from './params-copies.ts';
import { type Holding, Pool } from './pool.ts';
import { stagesThatCall } from './stages-above.ts';

/** Options of a call that runs stages. */
export interface RunOptions extends PlanOptions {
  /** -j: the most stages that run at once. */
  jobs?: number;
  /** -k: stages that do not depend on a failed one still run. */
  keepGoing?: boolean;
  /** false (--no-commit): neither cache nor lock are written. */
  commit?: boolean;
  /** What removed cells left in the folders of dependencies. The plan was made as if it were gone. */
  left?: readonly LeftOutput[];
}

/** How a run ended. */
export interface RunResult {
  outcomes: ReadonlyMap<string, Outcome>;
  /** The signal that ended it early. */
  interrupted?: NodeJS.Signals;
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
  const execution = await Execution.prepare(project, plan, options, listen);
  interrupt.onSignal((signal) => execution.interrupt(signal));
  return execution.complete();
}

/** The status of a stage, and the version of the lock that it was derived from. */
interface Decision {
  status: SettledStatus;
  lockVersion: number;
}

class Execution {
  readonly #project: Project;
  readonly #plan: readonly PlannedStage[];
  readonly #options: RunOptions;
  readonly #listen: Listener;
  readonly #jobs: number;
  readonly #pool: Pool;
  readonly #machine: Machine;
  /** undefined if no stage of the plan may start, and nothing is left of removed stages. */
  readonly #stageLeases: Leases | undefined;
  readonly #gpuLeases: Leases | undefined;
  readonly #attempts: AttemptLog;
  /** Expected seconds by stage, from earlier attempts. */
  readonly #expected: ReadonlyMap<string, number>;
  /** By group of stages: how many stages of the plan may run. */
  readonly #mayRun = new Map<string, number>();
  readonly #groups: ProcessGroups;
  readonly #memory = new PeakMemory();
  readonly #running = new Set<Command>();
  readonly #outcomes = new Map<string, Promise<Outcome>>();
  /** The version of the lock that the plan was made from. */
  readonly #plannedVersion: number;
  readonly #pendingReleases: Promise<void>[] = [];
  readonly #started = performance.now();
  /** The same, as a time of the day in milliseconds since 1970. */
  readonly #startTime = Date.now();
  /** Stages that wait for this call, so it does not wait for them. */
  readonly #callers: ReadonlySet<string>;
  readonly #copies: ParamsCopies;
  /** By group of stages: the params files that its programs read from copies. */
  readonly #readFromCopy = new Map<string, Set<string>>();
  #interrupted: NodeJS.Signals | undefined;

  private constructor(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
    parts: { machine: Machine; stageLeases: Leases | undefined; gpuLeases: Leases | undefined; attempts: AttemptLog },
  ) {
    this.#project = project;
    this.#callers = stagesThatCall(project.root);
    this.#plan = plan;
    this.#options = options;
    this.#listen = listen;
    for (const { stage, status } of plan)
      if (status.state !== 'fresh' && status.state !== 'frozen')
        this.#mayRun.set(stage.group, (this.#mayRun.get(stage.group) ?? 0) + 1);
    this.#machine = parts.machine;
    this.#plannedVersion = project.lock.version;
    this.#stageLeases = parts.stageLeases;
    this.#groups = new ProcessGroups(parts.stageLeases?.folder ?? '');
    this.#gpuLeases = parts.gpuLeases;
    this.#attempts = parts.attempts;
    this.#copies = new ParamsCopies(project.root);
    this.#expected = parts.attempts.durations();
    this.#jobs = options.jobs ?? defaultJobs(parts.machine);
    const capacity = new Capacity(this.#jobs, parts.machine, project.pipeline.limits);
    this.#pool = new Pool(capacity, (id) => this.#gpuLeases?.isTaken(id) ?? false);
  }

  static async prepare(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
  ): Promise<Execution> {
    const wantsGpus = plan.some(({ stage }) => stage.resources.gpus > 0);
    const machine = await thisMachine(wantsGpus);
    for (const { stage } of plan) checkFits(stage, machine, project.pipeline.limits);
    const mayStart =
      (options.left ?? []).length > 0 ||
      plan.some(({ status }) => status.state !== 'fresh' && status.state !== 'frozen');
    const stageLeases = mayStart ? await Leases.ofStages(project.root) : undefined;
    const gpuLeases = machine.gpus.length > 0 ? await Leases.ofGpus() : undefined;
    const attempts = new AttemptLog(project.root);
    return new Execution(project, plan, options, listen, { machine, stageLeases, gpuLeases, attempts });
  }

  async complete(): Promise<RunResult> {
    const { left = [], commit = true } = this.#options;
    this.#listen({
      event: 'plan',
      jobs: this.#jobs,
      ...(left.length > 0 ? { left } : {}),
      stages: this.#plan.map(({ stage, status }) => ({
        stage: stage.name,
        state: status.state,
        reasons: status.reasons,
        expected: this.#expected.get(stage.name),
      })),
    });
    const outcomes = new Map<string, Outcome>();
    try {
      if (left.length > 0)
        for (const note of await clearLeft(this.#project, left, this.#stageLeases!, { commit }))
          this.#listen({ event: 'note', ...note });
      // The plan is in the graph's order, so the promises of upstream stages are there before they are awaited.
      for (const planned of this.#plan) this.#outcomes.set(planned.stage.name, this.#complete(planned));
      for (const [name, outcome] of this.#outcomes) outcomes.set(name, await outcome);
      this.#writeLock(outcomes);
    } finally {
      await Promise.all(this.#pendingReleases);
      this.#groups.close();
      this.#attempts.close();
      this.#copies.close();
      await this.#stageLeases?.close();
      await this.#gpuLeases?.close();
    }
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
      ...(this.#interrupted ? { interrupted: this.#interrupted } : {}),
    });
    return { outcomes, interrupted: this.#interrupted };
  }

  /** Writes what is still to be written to the lock. If that fails, the stages that it is about have failed. */
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

  interrupt(signal: NodeJS.Signals): void {
    const isRepeated = this.#interrupted !== undefined;
    this.#interrupted ??= signal;
    this.#pool.stop();
    for (const running of this.#running) running.kill(isRepeated ? 'SIGKILL' : signal);
  }

  /** Resolves when the stage has been brought up to date, or cannot be. */
  async #complete(planned: PlannedStage): Promise<Outcome> {
    const { stage } = planned;
    const upstream = this.#project.graph.upstream.get(stage.name)!.filter((name) => this.#outcomes.has(name));
    const outcomes = await Promise.all(upstream.map((name) => this.#outcomes.get(name)!));
    const blocking = upstream.filter((_, i) => ['failed', 'skipped'].includes(outcomes[i].outcome));
    let outcome: Outcome;
    if (blocking.length > 0) outcome = this.#skipped({ reason: 'upstream', stages: blocking });
    else {
      try {
        const isUpstreamUnchanged = outcomes.every((o) => o.outcome === 'fresh');
        outcome = await this.#bringUpToDate(planned, isUpstreamUnchanged);
      } catch (error) {
        outcome = failedWith(error, this.#project.root);
      }
    }
    if (outcome.outcome === 'failed' && !this.#options.keepGoing) this.#pool.stop();
    this.#listen({ event: 'end', stage: stage.name, ...outcome });
    return outcome;
  }

  #skipped(skip: Skip): Outcome {
    return skippedOutcome(this.#interrupted ? { reason: 'interrupted' } : skip);
  }

  async #bringUpToDate(entry: PlannedStage, isUpstreamUnchanged: boolean): Promise<Outcome> {
    const { stage, status: planned } = entry;
    // The status in the plan still holds unless an upstream stage has run since.
    const decision =
      isUpstreamUnchanged && !('pending' in planned)
        ? { status: planned, lockVersion: this.#plannedVersion }
        : await this.#decide(entry);
    if (decision.status.state === 'fresh') return { outcome: 'fresh' };
    if (decision.status.state === 'frozen') {
      const gone = decision.status.reasons.flatMap((reason) => (reason.kind === 'out-missing' ? [reason.path] : []));
      const text = `it is frozen, and the cache does not have ${listNames(gone)}: repro pull`;
      if (gone.length > 0) this.#listen({ event: 'note', stage: stage.name, text });
      return { outcome: 'fresh', frozen: true };
    }
    const { granted: holding, hasWaited } = await this.#start(stage);
    if (holding === 'stopped') return this.#skipped({ reason: 'stopped' });
    try {
      await this.#project.lock.refresh();
      // A stage of another repro may have failed: then its files changed, but not the lock.
      if (hasWaited) this.#project.stageInputs.forget();
      const isOpen = (await this.#takesEdits(stage)) || hasWaited;
      const { status } = await this.#decide(entry, isOpen ? undefined : decision);
      if (this.#hasJustRun(stage, status)) return { outcome: 'fresh' };
      return await this.#carryOut(stage, status, holding);
    } finally {
      this.#gpuLeases?.release(holding.gpus);
      holding.release();
      // Another repro that waits for this stage's lease must find its block in the lock.
      this.#pendingReleases.push(this.#project.lock.written().then(() => this.#stageLeases!.release([stage.name])));
    }
  }

  /**
   * Whether a stage is to see params that were edited since the run began: it has not started, and it may read the file
   * itself instead of the copy.
   */
  async #takesEdits(stage: Stage): Promise<boolean> {
    const files = [...(await paramsReadDirectly(this.#project, stage)).keys()];
    const readFromCopy = this.#readFromCopy.get(stage.group);
    if (files.every((file) => readFromCopy?.has(file))) return false;
    this.#project.stageInputs.unfixParams(stage.name);
    return true;
  }

  /**
   * Resolves when the stage may start and no other repro can start it.
   *
   * @returns `hasWaited`: whether it had to wait for another repro
   */
  async #start({ name, resources }: Stage): Promise<{ granted: Holding | 'stopped'; hasWaited: boolean }> {
    const expected = this.#expected.get(name) ?? Number.POSITIVE_INFINITY;
    const { upstream, downstream } = this.#project.graph;
    const free = [...upstream.get(name)!, ...downstream.get(name)!].filter((other) => !this.#callers.has(other));
    let hasWaited = false;
    const granted = await this.#pool.acquire(name, resources, expected, (gpus) => {
      if (this.#stageLeases!.take([name], free)) {
        if (this.#gpuLeases === undefined || this.#gpuLeases.take(gpus)) return true;
        this.#stageLeases!.release([name]);
      }
      hasWaited = true;
      return false;
    });
    return { granted, hasWaited };
  }

  /**
   * Whether another repro has run a stage that always runs, while this call went on. Nothing else about it has changed,
   * so its result is as good as one that this call would make.
   */
  #hasJustRun(stage: Stage, status: SettledStatus): boolean {
    if (this.#options.force || status.state !== 'stale') return false;
    if (status.reasons.some(({ kind }) => kind !== 'always')) return false;
    const last = this.#attempts.attempts(stage.name).at(-1);
    return last?.outcome === 'ran' && Date.parse(last.started) + last.seconds * 1000 >= this.#startTime;
  }

  /** Keeps `earlier` unless another repro has written the lock since, because that repro may have run this stage. */
  async #decide({ stage, status: planned, needed }: PlannedStage, earlier?: Decision): Promise<Decision> {
    const lockVersion = this.#project.lock.version;
    if (earlier?.lockVersion === lockVersion) return earlier;
    if (earlier !== undefined) this.#project.stageInputs.forget();
    if (needed === undefined || 'pending' in planned)
      return { status: await evaluate(this.#project, stage, this.#options, needed), lockVersion };
    // Only its outputs are needed. It must not run, whatever changed.
    const status = await restorableFromLock(this.#project, stage, needed);
    return { status: status ?? { state: 'fresh', reasons: [] }, lockVersion };
  }

  async #carryOut(stage: Stage, status: SettledStatus, holding: Holding): Promise<Outcome> {
    switch (status.state) {
      case 'fresh':
        return { outcome: 'fresh' };
      case 'frozen':
        return { outcome: 'fresh', frozen: true };
      case 'restorable':
        await restoreStage(
          this.#project,
          stage,
          status.block,
          (text) => this.#listen({ event: 'note', stage: stage.name, text }),
          { record: !status.isRecorded },
        );
        return { outcome: 'restored' };
      case 'stale':
        for (const note of status.notes) this.#listen({ event: 'note', stage: stage.name, text: note });
        // The lock said what they hold, but a command needs the files.
        if (status.missing !== undefined) {
          const message = describeLacking(this.#project, { stage, status, lacking: status.missing }, this.#options);
          return failedOutcome({ reason: 'missing-input', paths: status.missing, message: `it ${message}` }, 0);
        }
        return this.#attempt(stage, status, holding);
    }
  }

  async #attempt(
    stage: Stage,
    { inputs, key, reasons }: Extract<SettledStatus, { state: 'stale' }>,
    holding: Holding,
  ): Promise<Outcome> {
    const started = new Date();
    const log = this.#attempts.openLog(stage.name, started);
    let peakMemory = 0;
    const gpus = holding.gpus.length > 0 ? { gpus: holding.gpus } : {};
    this.#listen({
      event: 'start',
      stage: stage.name,
      cmd: stage.cmd,
      reasons,
      ...gpus,
      expected: this.#expected.get(stage.name),
    });
    const outcome = await attemptStage(stage, inputs, key, {
      project: this.#project,
      gpus: holding.gpus,
      leasesGpus: this.#machine.gpus.length > 0,
      memoryShare: memoryShare(stage.resources, this.#mayRun.get(stage.group) ?? 1, this.#jobs, this.#machine),
      commit: this.#options.commit !== false,
      log,
      listen: this.#listen,
      groupsFd: this.#groups.fd,
      copies: this.#copies,
      began: (command) => {
        this.#running.add(command);
        this.#memory.watch(command);
      },
      ended: (command) => {
        this.#running.delete(command);
        peakMemory = Math.max(peakMemory, this.#memory.end(command));
      },
      isInterrupted: () => this.#interrupted !== undefined,
    });
    this.#readFromCopy.set(stage.group, this.#copies.filesRead(stage.name));
    log.close();
    if (log.problem !== undefined) this.#listen({ event: 'note', stage: stage.name, text: log.problem });
    this.#attempts.record({
      stage: stage.name,
      started: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
      outcome: outcome.outcome === 'failed' ? (this.#interrupted ? 'interrupted' : 'failed') : 'ran',
      ...('exit' in outcome ? { exit: outcome.exit } : {}),
      ...('signal' in outcome ? { signal: outcome.signal } : {}),
      ...gpus,
      ...(peakMemory > 0 ? { peakMemory } : {}),
      log: log.path,
    });
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
