/**
 * Brings one stage after the other up to date: restores it, or attempts it, when it may start.
 *
 *   decide → place in the pool, lease of the stage → decide again if another repro wrote the lock
 *   → restore, or make by an executor (the folder making) → lock
 *
 * Another repro may run stages of the same pipeline. A stage starts only while no other repro runs it, a stage that writes
 * what it reads, or one that reads what it writes.
 */

import { AttemptLog } from '../attempts/index.ts';
import { Capacity, checkFits, defaultJobs, type Machine, memoryShare, thisMachine } from '../forecast/index.ts';
import { type Executor, LocalExecutor, paramsReadDirectly, stagesThatCall } from '../making/index.ts';
import { listNames, type Skip, warn } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import {
  describeLacking,
  evaluate,
  type PlannedStage,
  type Project,
  restorableFromLock,
  type SettledStatus,
} from '../planning/index.ts';
import { failedOutcome, type Listener, type Outcome, skippedOutcome } from './events.ts';
import { Leases } from './leases.ts';
import { type Holding, Pool } from './pool.ts';
import { recordStage, restoreStage } from './record-stage.ts';
import type { RunOptions } from './run-options.ts';
import { RunningStages, runningStages } from './running-stages.ts';

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
  readonly #attempts: AttemptLog;
  /** By group of stages: how many stages of the plan may run. */
  readonly #mayRun = new Map<string, number>();
  readonly #executor: Executor;
  readonly #running: RunningStages;
  /** The version of the lock that the plan was made from. */
  readonly #plannedVersion: number;
  readonly #pendingReleases: Promise<void>[] = [];
  /** Milliseconds since 1970. */
  readonly #startTime = Date.now();
  /** Stages that wait for this call, so it does not wait for them. */
  readonly #callers: ReadonlySet<string>;
  /** By group of stages: the params files that its programs read from copies. */
  readonly #readFromCopy = new Map<string, ReadonlySet<string>>();
  #interrupted: NodeJS.Signals | undefined;

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
    for (const { stage, status } of plan)
      if (mayStart(status)) this.#mayRun.set(stage.group, (this.#mayRun.get(stage.group) ?? 0) + 1);
    this.#machine = parts.machine;
    this.#plannedVersion = project.lock.version;
    this.stageLeases = parts.stageLeases;
    const leasesGpus = parts.machine.gpus.length > 0;
    this.#executor = new LocalExecutor(project, { groupsFolder: parts.stageLeases?.folder ?? '', leasesGpus });
    this.#gpuLeases = parts.gpuLeases;
    this.#attempts = new AttemptLog(project.root);
    this.#running = new RunningStages(project.root);
    this.jobs = options.jobs ?? defaultJobs(parts.machine);
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
    for (const { stage } of plan) checkFits(stage, machine, project.pipeline.limits);
    const writes = (options.left ?? []).length > 0 || plan.some(({ status }) => mayStart(status));
    const stageLeases = writes ? await Leases.ofStages(project.root, project.stateFolder) : undefined;
    const gpuLeases = machine.gpus.length > 0 ? await Leases.ofGpus() : undefined;
    const runner = new StageRunner(project, plan, options, listen, { machine, stageLeases, gpuLeases });
    project.claim?.onLost(({ message }) => {
      warn(`this host was silent for more than 3 min, so another one has taken the folder over: ${message}`);
      runner.interrupt('SIGTERM');
    });
    return runner;
  }

  /** What the stages share, with nothing running. */
  capacity(): Capacity {
    return new Capacity(this.jobs, this.#machine, this.#project.pipeline.limits);
  }

  async close(): Promise<void> {
    await Promise.all(this.#pendingReleases);
    await this.#executor.close();
    this.#attempts.close();
    this.#running.close();
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

  /** Stops, and passes the signal on to the running commands. From the second time on, they get SIGKILL. */
  interrupt(signal: NodeJS.Signals): void {
    const isRepeated = this.#interrupted !== undefined;
    this.#interrupted ??= signal;
    this.#pool.stop();
    this.#executor.interrupt(signal, isRepeated);
  }

  skipped(skip: Skip): Outcome {
    return skippedOutcome(this.#interrupted ? { reason: 'interrupted' } : skip);
  }

  /**
   * @param isUpstreamUnchanged whether all upstream stages were up to date, so that the status in the plan still holds
   * @param isForced whether the stage runs even if nothing about it changed
   */
  async bringUpToDate(entry: PlannedStage, isUpstreamUnchanged: boolean, isForced: boolean): Promise<Outcome> {
    const { stage, status: planned } = entry;
    const decision =
      isUpstreamUnchanged && !('pending' in planned)
        ? { status: planned, lockVersion: this.#plannedVersion }
        : await this.#decide(entry, isForced);
    if (decision.status.state === 'fresh') return { outcome: 'fresh' };
    if (decision.status.state === 'frozen') {
      const gone = decision.status.reasons.flatMap((reason) => (reason.kind === 'out-missing' ? [reason.path] : []));
      const text = `it is frozen, and the cache does not have ${listNames(gone)}: repro pull`;
      if (gone.length > 0) this.#listen({ event: 'note', stage: stage.name, text });
      return { outcome: 'fresh', frozen: true };
    }
    const { granted: holding, hasWaited } = await this.#start(stage);
    if (holding === 'stopped') return this.skipped({ reason: 'stopped' });
    try {
      await this.#project.lock.refresh();
      // A stage of another repro may have failed: then its files changed, but not the lock.
      if (hasWaited) this.#project.stageInputs.forget();
      const isOpen = (await this.#takesEdits(stage)) || hasWaited;
      const { status } = await this.#decide(entry, isForced, isOpen ? undefined : decision);
      if (!isForced && this.#hasJustRun(stage, status)) return { outcome: 'fresh' };
      return await this.#carryOut(stage, status, holding);
    } finally {
      this.#gpuLeases?.release(holding.gpus);
      holding.release();
      // Another repro that waits for this stage's lease must find its block in the lock.
      this.#pendingReleases.push(this.#project.lock.written().then(() => this.stageLeases!.release([stage.name])));
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
    const expected = this.#options.expectation.seconds.get(name) ?? Number.POSITIVE_INFINITY;
    const { upstream, downstream } = this.#project.graph;
    const free = [...upstream.get(name)!, ...downstream.get(name)!].filter((other) => !this.#callers.has(other));
    let hasWaited = false;
    let isTold = false;
    const granted = await this.#pool.acquire(name, resources, expected, (gpus) => {
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
    const last = this.#attempts.attempts(stage.name).at(-1);
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
    const cost = this.#options.expectation.costs.get(stage.name);
    const attempted = await this.#executor.make({
      stage,
      inputs,
      key,
      gpus: holding.gpus,
      memoryShare: memoryShare(stage.resources, this.#mayRun.get(stage.group) ?? 1, this.jobs, this.#machine),
      commit: this.#options.commit !== false,
      fromNothing: this.#options.force === true,
      listen: (event) => {
        if (event.event === 'progress') this.#running.progress(stage.name, event);
        this.#listen(event);
      },
      begin: (where) => {
        this.#listen({
          event: 'start',
          stage: stage.name,
          cmd: stage.cmd,
          reasons,
          ...(where.gpus === undefined ? {} : { gpus: where.gpus }),
          expected: this.#options.expectation.seconds.get(stage.name),
        });
        this.#running.start(stage.name, where);
      },
    });
    if ('detached' in attempted) throw new Error('a local stage cannot be detached');
    const { made, started, log, peakMemory, gpus } = attempted;
    const failure =
      made.failure ??
      (await recordStage(this.#project, { stage, inputs, key }, made, (text) =>
        this.#listen({ event: 'note', stage: stage.name, text }),
      ));
    this.#running.end(stage.name);
    this.#readFromCopy.set(stage.group, attempted.readFromCopy);
    this.#attempts.record({
      stage: stage.name,
      started,
      seconds: (Date.now() - Date.parse(started)) / 1000,
      outcome: failure === undefined ? 'ran' : this.#interrupted ? 'interrupted' : 'failed',
      ...(failure !== undefined && 'exit' in failure ? { exit: failure.exit } : {}),
      ...(failure !== undefined && 'signal' in failure ? { signal: failure.signal } : {}),
      ...(gpus === undefined ? {} : { gpus }),
      ...(cost === undefined ? {} : { cost: cost.seconds }),
      ...(peakMemory > 0 ? { peakMemory } : {}),
      log,
    });
    return failure === undefined
      ? { outcome: 'ran', seconds: made.seconds }
      : failedOutcome(failure, made.seconds, log);
  }
}

/** Whether the stage may be restored or run, as far as the plan knows. */
function mayStart({ state }: PlannedStage['status']): boolean {
  return state !== 'fresh' && state !== 'frozen';
}
