/**
 * Brings one stage after the other up to date: restores it, or attempts it, when it may start.
 *
 *   decide → place in the pool, lease of the stage → decide again if another repro wrote the lock
 *   → restore, or make by an executor (the folder making) → lock
 *
 * Another repro may run stages of the same pipeline. A stage starts only while no other repro runs it, a stage that
 * writes what it reads, or one that reads what it writes.
 */

import {
  type Capacity,
  checkFits,
  defaultJobs,
  type Machine,
  sharedCapacity,
  shareOf,
  thisMachine,
} from '../forecast/index.ts';
import { type Moved, paramsReadDirectly, stagesThatCall } from '../making/index.ts';
import { listNames, ReproError, type Skip, warn } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import {
  describeLacking,
  evaluate,
  type PlannedStage,
  type Project,
  restorableFromLock,
  type SettledStatus,
} from '../planning/index.ts';
import { readOpenAttempts } from '../slurm/index.ts';
import { IdleWatch } from './detach-when-idle.ts';
import { failedOutcome, type Listener, type Outcome, skippedOutcome } from './events.ts';
import { Leases } from './leases.ts';
import { type Holding, Pool } from './pool.ts';
import { restoreStage } from './record-stage.ts';
import { elsewhereOf, type RunOptions } from './run-options.ts';
import { runningStages } from './running-stages.ts';
import { StageAttempts } from './stage-attempts.ts';

/** The lease of the one repro of this host that watches jobs of Slurm. No stage has this name. */
const JOBS_LEASE = ' slurm';
/** How often a stage whose inputs changed while its job waited is judged anew. */
const MOST_ROUNDS = 3;

/** The status of a stage, and the version of the lock that it was derived from. */
interface Decision {
  status: SettledStatus;
  lockVersion: number;
}

/** Runs stages of one call of repro, several at once as far as the machine and other repros allow. */
export class StageRunner {
  /** The most stages that run at once. */
  readonly jobs: number;
  /** undefined if no stage of the plan may start, and nothing is left of removed stages. */
  readonly stageLeases: Leases | undefined;
  readonly #project: Project;
  readonly #options: RunOptions;
  readonly #listen: Listener;
  readonly #pool: Pool;
  readonly #machine: Machine;
  readonly #gpuLeases: Leases | undefined;
  readonly #attempts: StageAttempts;
  /** The version of the lock that the plan was made from. */
  readonly #plannedVersion: number;
  readonly #pendingReleases: Promise<void>[] = [];
  /** Milliseconds since 1970. */
  readonly #startTime = Date.now();
  /** Stages that wait for this call, so it does not wait for them. */
  readonly #callers: ReadonlySet<string>;
  #interrupted: NodeJS.Signals | undefined;
  #isDetached = false;
  /** Counts the stages that this process works on, without those that wait for a place or a job. */
  readonly #idle = new IdleWatch(() => this.#detachIfAsked());

  private constructor(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
    parts: { machine: Machine; stageLeases: Leases | undefined; gpuLeases: Leases | undefined },
  ) {
    this.#project = project;
    this.#callers = stagesThatCall(project.root);
    this.#options = options;
    this.#listen = listen;
    const mayRun = new Map<string, number>();
    for (const { stage, status } of plan)
      if (mayStart(status)) mayRun.set(stage.group, (mayRun.get(stage.group) ?? 0) + 1);
    this.#machine = parts.machine;
    this.#plannedVersion = project.lock.version;
    this.stageLeases = parts.stageLeases;
    this.#gpuLeases = parts.gpuLeases;
    this.jobs = options.jobs ?? defaultJobs(parts.machine);
    this.#attempts = new StageAttempts({ ...parts, project, options, jobs: this.jobs, mayRun, listen });
    this.#pool = new Pool(this.capacity(), (id) => this.#gpuLeases?.isTaken(id) ?? false);
  }

  /**
   * Takes what the stages of the plan need of the machine. `close` gives it back.
   *
   * @throws ReproError if a stage needs more than this machine has
   */
  static async open(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
  ): Promise<StageRunner> {
    const wantsGpus = plan.some(({ stage }) => stage.resources.gpus > 0);
    const machine = await thisMachine(wantsGpus);
    const elsewhere = elsewhereOf(options.slurm);
    for (const { stage } of plan) checkFits(stage, machine, project.pipeline.limits, shareOf(stage, elsewhere));
    const hasJobs = readOpenAttempts(project.root).length > 0;
    const writes = hasJobs || (options.left ?? []).length > 0 || plan.some(({ status }) => mayStart(status));
    const stageLeases = writes ? await Leases.ofStages(project.root, project.stateFolder) : undefined;
    const slurm = takeJobs(stageLeases, options);
    const gpuLeases = machine.gpus.length > 0 ? await Leases.ofGpus() : undefined;
    const runner = new StageRunner(project, plan, { ...options, slurm }, listen, { machine, stageLeases, gpuLeases });
    project.claim?.onLost(({ message }) => {
      warn(`this host was silent for more than 3 min, so another one has taken the folder over: ${message}`);
      // Jobs are that host's now.
      if (runner.#attempts.slurm === undefined) runner.interrupt('SIGTERM');
      else runner.#detach();
    });
    return runner;
  }

  /** The capacity that the stages share, while none of them runs. */
  capacity(): Capacity {
    return sharedCapacity(this.jobs, this.#machine, this.#project.pipeline.limits, this.#attempts.elsewhere);
  }

  async close(): Promise<void> {
    await Promise.all(this.#pendingReleases);
    this.#idle.close();
    await this.#attempts.close();
    if (this.#options.slurm !== undefined) this.stageLeases?.release([JOBS_LEASE]);
    await this.stageLeases?.close();
    await this.#gpuLeases?.close();
  }

  /** The signal that ended the run early. */
  get interrupted(): NodeJS.Signals | undefined {
    return this.#interrupted;
  }

  /** @returns undefined if nothing is known */
  expectedSeconds(stage: string): number | undefined {
    return this.#options.expectation.seconds.get(stage);
  }

  /** Starts no further stage. Those that run go on. */
  stop(): void {
    this.#pool.stop();
  }

  /** Whether repro ends while jobs go on. */
  get isDetached(): boolean {
    return this.#isDetached;
  }

  /**
   * Stops, and passes the signal on to the running commands. From the second time on, they get SIGKILL. Jobs are
   * cancelled, but if it was not the user who ended repro, they go on.
   */
  interrupt(signal: NodeJS.Signals): void {
    const isOwnLimit = signal === 'SIGTERM' && process.env.SLURM_JOB_ID !== undefined;
    if (this.#attempts.elsewhere !== undefined && (signal === 'SIGHUP' || signal === 'SIGQUIT' || isOwnLimit)) {
      this.#detach();
      return;
    }
    const isRepeated = this.#interrupted !== undefined;
    this.#interrupted ??= signal;
    this.#pool.stop();
    this.#attempts.interrupt(signal, isRepeated);
  }

  /** Ends repro. Jobs of Slurm go on; stages that run on this machine are stopped. */
  #detach(): void {
    this.#isDetached = true;
    this.#pool.stop();
    this.#attempts.detach();
  }

  #detachIfAsked(): void {
    if (!this.#options.slurm?.detach || this.#isDetached) return;
    this.#attempts.slurm?.whenSubmitted(() => this.#idle.isIdle && this.#detach());
  }

  skipped(skip: Skip): Outcome {
    if (this.#interrupted) return skippedOutcome({ reason: 'interrupted' });
    return skippedOutcome(this.#isDetached && skip.reason !== 'detached' ? { reason: 'detached' } : skip);
  }

  /**
   * @param isUpstreamUnchanged whether all upstream stages were up to date, so that the status in the plan still holds
   * @param isForced whether the stage runs even if nothing about it changed
   */
  bringUpToDate(entry: PlannedStage, isUpstreamUnchanged: boolean, isForced: boolean): Promise<Outcome> {
    return this.#idle.during(() => this.#bringUpToDate(entry, isUpstreamUnchanged, isForced));
  }

  async #bringUpToDate(entry: PlannedStage, isUpstreamUnchanged: boolean, isForced: boolean): Promise<Outcome> {
    const { stage, status: planned } = entry;
    const decision =
      isUpstreamUnchanged && !('pending' in planned)
        ? { status: planned, lockVersion: this.#plannedVersion }
        : await this.#decide(entry, isForced);
    const { status } = await this.#withoutOldJobs(entry, isForced, decision);
    if (status.state === 'fresh') return { outcome: 'fresh' };
    if (status.state === 'frozen') {
      const gone = status.reasons.flatMap((reason) => (reason.kind === 'out-missing' ? [reason.path] : []));
      const text = `it is frozen, and the cache does not have ${listNames(gone)}: repro pull`;
      if (gone.length > 0) this.#listen({ event: 'note', stage: stage.name, text });
      return { outcome: 'fresh', frozen: true };
    }
    const { granted: holding, hasWaited } = await this.#idle.except(() => this.#start(stage));
    if (holding === 'stopped') return this.skipped({ reason: 'stopped' });
    try {
      await this.#project.lock.refresh();
      // A stage of another repro may have failed: then its files changed, but not the lock.
      if (hasWaited) this.#project.stageInputs.forget();
      const isOpen = (await this.#takesEdits(stage)) || hasWaited;
      let { status } = await this.#decide(entry, isForced, isOpen ? undefined : decision);
      if (!isForced && this.#hasJustRun(stage, status)) return { outcome: 'fresh' };
      for (let round = 1; ; round++) {
        const outcome = await this.#carryOut(stage, status, holding);
        if (!('moved' in outcome)) return outcome;
        if (round === MOST_ROUNDS) return failedOutcome({ reason: 'inputs-moved', paths: outcome.moved }, 0);
        this.#project.stageInputs.forget();
        await this.#takesEdits(stage);
        ({ status } = await this.#decide(entry, isForced));
      }
    } finally {
      this.#gpuLeases?.release(holding.gpus);
      holding.release();
      // Another repro that waits for this stage's lease must find its block in the lock.
      this.#pendingReleases.push(this.#project.lock.written().then(() => this.stageLeases!.release([stage.name])));
    }
  }

  /** Ends jobs of an earlier call at the stage that have other inputs: they write to the same outputs. */
  async #withoutOldJobs(entry: PlannedStage, isForced: boolean, decision: Decision): Promise<Decision> {
    const { name } = entry.stage;
    const { slurm } = this.#attempts;
    if (!slurm?.holds(name)) return decision;
    const { status } = decision;
    if (status.state === 'stale' && slurm.holdsKey(name, status.key)) return decision;
    await slurm.giveUp(name);
    this.#project.stageInputs.forget();
    return this.#decide(entry, isForced);
  }

  /**
   * Whether a stage is to see params that were edited since the run began: it has not started, and it may read the file
   * itself instead of the copy.
   */
  async #takesEdits(stage: Stage): Promise<boolean> {
    const files = [...(await paramsReadDirectly(this.#project, stage)).keys()];
    const readFromCopy = this.#attempts.readFromCopy(stage.group);
    if (files.every((file) => readFromCopy.has(file))) return false;
    this.#project.stageInputs.unfixParams(stage.name);
    return true;
  }

  /**
   * Resolves when the stage may start and no other repro can start it.
   *
   * @returns `hasWaited`: whether it had to wait for another repro
   */
  async #start(stage: Stage): Promise<{ granted: Holding | 'stopped'; hasWaited: boolean }> {
    const { name } = stage;
    const expected = this.#options.expectation.seconds.get(name) ?? Number.POSITIVE_INFINITY;
    const { upstream, downstream } = this.#project.graph;
    const free = [...upstream.get(name)!, ...downstream.get(name)!].filter((other) => !this.#callers.has(other));
    let hasWaited = false;
    let isTold = false;
    const granted = await this.#pool.acquire(name, shareOf(stage, this.#attempts.elsewhere), expected, (gpus) => {
      if (this.stageLeases!.take([name], free)) {
        if (this.#gpuLeases === undefined || this.#gpuLeases.take(gpus)) return true;
        this.stageLeases!.release([name]);
      }
      hasWaited = true;
      if (!isTold) isTold = this.#tellWhatRuns(name, free);
      return false;
    });
    return { granted, hasWaited };
  }

  /** Says which stage of another repro `name` waits for, if that is known. */
  #tellWhatRuns(name: string, free: readonly string[]): boolean {
    const running = runningStages(this.#project.root);
    const other = [name, ...free].find((each) => running.has(each));
    if (other === undefined) return false;
    const what = other === name ? 'it' : other;
    const text = `waits, because another repro (process ${running.get(other)!.pid}) runs ${what}`;
    this.#listen({ event: 'note', stage: name, text });
    return true;
  }

  /**
   * Whether another repro has run a stage that always runs, while this call went on. Nothing else about it has changed,
   * so its result is as good as one that this call would make.
   */
  #hasJustRun(stage: Stage, status: SettledStatus): boolean {
    if (this.#options.force || status.state !== 'stale') return false;
    if (status.reasons.some(({ kind }) => kind !== 'always')) return false;
    const last = this.#attempts.log.attempts(stage.name).at(-1);
    return last?.outcome === 'ran' && Date.parse(last.started) + last.seconds * 1000 >= this.#startTime;
  }

  /** Keeps `earlier` unless another repro has written the lock since, because that repro may have run this stage. */
  async #decide(
    { stage, status: planned, needed }: PlannedStage,
    isForced: boolean,
    earlier?: Decision,
  ): Promise<Decision> {
    const lockVersion = this.#project.lock.version;
    if (earlier?.lockVersion === lockVersion) return earlier;
    if (earlier !== undefined) this.#project.stageInputs.forget();
    if (needed === undefined || 'pending' in planned)
      return { status: await evaluate(this.#project, stage, this.#optionsFor(isForced), needed), lockVersion };
    // Only its outputs are needed. It must not run, whatever changed.
    const status = await restorableFromLock(this.#project, stage, needed);
    return { status: status ?? { state: 'fresh', reasons: [] }, lockVersion };
  }

  #optionsFor(isForced: boolean): RunOptions {
    return isForced ? { ...this.#options, force: true } : this.#options;
  }

  async #carryOut(stage: Stage, status: SettledStatus, holding: Holding): Promise<Outcome | Moved> {
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
        if (!this.#attempts.isJob(stage, status.key)) return this.#attempts.attempt(stage, status, holding.gpus);
        return this.#idle.except(() => this.#attempts.attempt(stage, status, holding.gpus));
    }
  }
}

/**
 * One repro of this host at a time watches jobs.
 *
 * @returns how this call uses Slurm; undefined if another repro watches what is under way, and this one need not
 * @throws ReproError if this one has to
 */
function takeJobs(leases: Leases | undefined, { slurm }: RunOptions): RunOptions['slurm'] {
  if (slurm === undefined || leases === undefined) return undefined;
  if (leases.take([JOBS_LEASE])) return slurm;
  if (!slurm.isOn) return undefined;
  throw new ReproError('another repro of this host watches the jobs of this folder: wait until it has ended');
}

/** Whether the stage may be restored or run, as far as the plan knows. */
function mayStart({ state }: PlannedStage['status']): boolean {
  return state !== 'fresh' && state !== 'frozen';
}
