/**
 * Carries a plan out. One promise a stage: it awaits the stages above it, and that is the whole of the scheduler; who of
 * those that are ready may start is the pool's to say.
 *
 *   above done → still fresh? → restorable? → place in the pool and lease of the stage → look again → attempt → lock
 */

import { listNames, ReproError } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import {
  evaluate,
  MissingInputs,
  type PlannedStage,
  type PlanOptions,
  type Project,
  type StageStatus,
} from '../planning/index.ts';
import { type Command, PeakMemory, ProcessGroups } from '../processes/index.ts';
import { attemptStage, restoreStage } from './attempt.ts';
import { AttemptLog } from './attempt-log.ts';
import { Capacity, checkFits, defaultJobs } from './capacity.ts';
import type { Listener, Outcome } from './events.ts';
import { Leases } from './leases.ts';
import { type Machine, thisMachine } from './machine.ts';
import { type Holding, Pool } from './pool.ts';

export interface RunOptions extends PlanOptions {
  jobs?: number;
  /** -k: what does not depend on a failure goes on. */
  keepGoing?: boolean;
  /** --no-commit */
  commit?: boolean;
}

export interface RunResult {
  outcomes: ReadonlyMap<string, Outcome>;
  /** The signal that ended it early. */
  interrupted?: NodeJS.Signals;
}

/** Stops a run: the first time its commands get the signal, the second time SIGKILL. */
export interface Interrupt {
  onSignal(handler: (signal: NodeJS.Signals) => void): void;
}

export async function execute(
  project: Project,
  plan: readonly PlannedStage[],
  options: RunOptions,
  listen: Listener,
  interrupt: Interrupt,
): Promise<RunResult> {
  const run = await Run.prepare(project, plan, options, listen);
  interrupt.onSignal((signal) => run.interrupt(signal));
  return run.complete();
}

class Run {
  readonly #project: Project;
  readonly #plan: readonly PlannedStage[];
  readonly #options: RunOptions;
  readonly #listen: Listener;
  readonly #jobs: number;
  readonly #pool: Pool;
  readonly #machine: Machine;
  readonly #stageLeases: Leases;
  readonly #gpuLeases: Leases | undefined;
  readonly #ledger: AttemptLog;
  readonly #expected: ReadonlyMap<string, number>;
  readonly #groups: ProcessGroups;
  readonly #memory = new PeakMemory();
  readonly #running = new Set<Command>();
  readonly #nodes = new Map<string, Promise<Outcome>>();
  /** The lock's version that the plan was made from. */
  readonly #plannedAt: number;
  readonly #giving: Promise<void>[] = [];
  readonly #started = performance.now();
  #interrupted: NodeJS.Signals | undefined;

  private constructor(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
    parts: { machine: Machine; stageLeases: Leases; gpuLeases: Leases | undefined; ledger: AttemptLog },
  ) {
    this.#project = project;
    this.#plan = plan;
    this.#options = options;
    this.#listen = listen;
    this.#machine = parts.machine;
    this.#plannedAt = project.lock.version;
    this.#stageLeases = parts.stageLeases;
    this.#groups = new ProcessGroups(parts.stageLeases.folder);
    this.#gpuLeases = parts.gpuLeases;
    this.#ledger = parts.ledger;
    this.#expected = parts.ledger.durations();
    this.#jobs = options.jobs ?? defaultJobs(parts.machine);
    const capacity = new Capacity(this.#jobs, parts.machine, project.pipeline.limits);
    this.#pool = new Pool(capacity, (id) => this.#gpuLeases?.isTaken(id) ?? false);
  }

  static async prepare(
    project: Project,
    plan: readonly PlannedStage[],
    options: RunOptions,
    listen: Listener,
  ): Promise<Run> {
    const wantsGpus = plan.some(({ stage }) => stage.resources.gpus > 0);
    const machine = await thisMachine(wantsGpus);
    for (const { stage } of plan) checkFits(stage, machine, project.pipeline.limits);
    const stageLeases = await Leases.ofStages(project.root);
    const gpuLeases = machine.gpus.length > 0 ? await Leases.ofGpus() : undefined;
    return new Run(project, plan, options, listen, {
      machine,
      stageLeases,
      gpuLeases,
      ledger: new AttemptLog(project.root),
    });
  }

  async complete(): Promise<RunResult> {
    this.#listen({
      event: 'plan',
      jobs: this.#jobs,
      stages: this.#plan.map(({ stage, status: verdict }) => ({
        stage: stage.name,
        state: verdict.state,
        reasons: verdict.reasons,
        expected: this.#expected.get(stage.name),
      })),
    });
    for (const planned of this.#plan) this.#nodes.set(planned.stage.name, this.#node(planned));
    const outcomes = new Map<string, Outcome>();
    try {
      for (const [name, node] of this.#nodes) outcomes.set(name, await node);
    } finally {
      this.#project.lock.flush();
      await Promise.all(this.#giving);
      this.#groups.close();
      this.#ledger.close();
      await this.#stageLeases.close();
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

  interrupt(signal: NodeJS.Signals): void {
    const again = this.#interrupted !== undefined;
    this.#interrupted ??= signal;
    this.#pool.stop();
    for (const running of this.#running) running.kill(again ? 'SIGKILL' : signal);
  }

  async #node(planned: PlannedStage): Promise<Outcome> {
    const { stage } = planned;
    const above = this.#project.graph.upstream.get(stage.name)!.filter((name) => this.#nodes.has(name));
    const outcomes = await Promise.all(above.map((name) => this.#nodes.get(name)!));
    const blocking = above.filter((_, i) => ['failed', 'skipped'].includes(outcomes[i].outcome));
    let outcome: Outcome;
    if (blocking.length > 0) outcome = this.#skipped(`${listNames(blocking)} did not succeed`);
    else {
      try {
        outcome = await this.#bringUpToDate(
          planned,
          outcomes.every((o) => o.outcome === 'fresh'),
        );
      } catch (error) {
        if (!(error instanceof ReproError)) throw error;
        outcome = { outcome: 'failed', message: error.message, seconds: 0 };
      }
    }
    if (outcome.outcome === 'failed' && !this.#options.keepGoing) this.#pool.stop();
    this.#listen({ event: 'end', stage: stage.name, ...outcome });
    return outcome;
  }

  #skipped(because: string): Outcome {
    return this.#interrupted
      ? { outcome: 'skipped', because: 'repro was interrupted', interrupted: true }
      : { outcome: 'skipped', because };
  }

  async #bringUpToDate({ stage, status: planned }: PlannedStage, nothingMovedAbove: boolean): Promise<Outcome> {
    // The plan was made with all this in place; it holds unless a stage above has made something since.
    const holds = nothingMovedAbove && planned.state !== 'maybe';
    const version = holds ? this.#plannedAt : this.#project.lock.version;
    const verdict = holds ? planned : await this.#evaluate(stage);
    if (verdict.state === 'fresh') return { outcome: 'fresh' };
    if (verdict.state === 'frozen') return { outcome: 'fresh', frozen: true };
    const holding = await this.#start(stage);
    if (holding === 'stopped') return this.#skipped('another stage failed');
    try {
      return await this.#bring(stage, holding, { verdict, version });
    } finally {
      this.#gpuLeases?.give(holding.gpus);
      holding.release();
      // Whoever waits for this stage must find its block in the lock.
      this.#giving.push(this.#project.lock.written().then(() => this.#stageLeases.give([stage.name])));
    }
  }

  #start(stage: Stage): Promise<Holding | 'stopped'> {
    const expected = this.#expected.get(stage.name) ?? Number.POSITIVE_INFINITY;
    return this.#pool.acquire(stage.name, stage.resources, expected, (gpus) => {
      if (!this.#stageLeases.take([stage.name])) return false;
      if (this.#gpuLeases === undefined || this.#gpuLeases.take(gpus)) return true;
      this.#stageLeases.give([stage.name]);
      return false;
    });
  }

  /** With the stage leased: another repro may have brought it up to date while this one waited. */
  async #bring(stage: Stage, holding: Holding, before: { verdict: StageStatus; version: number }): Promise<Outcome> {
    let { verdict } = before;
    await this.#project.lock.refresh();
    if (this.#project.lock.version !== before.version) {
      this.#project.stageInputs.forget();
      verdict = await this.#evaluate(stage);
    }
    if (verdict.state === 'fresh') return { outcome: 'fresh' };
    if (verdict.state === 'restorable') {
      await restoreStage(this.#project, stage, verdict.block);
      return { outcome: 'restored' };
    }
    if (verdict.state !== 'stale' || verdict.inputs === undefined || verdict.key === undefined)
      verdict = await this.#evaluate(stage);
    if (verdict.state !== 'stale' || verdict.inputs === undefined || verdict.key === undefined)
      throw new Error(`${stage.name} is ${verdict.state} where it should be known whether to run`);
    for (const note of verdict.notes ?? []) this.#listen({ event: 'note', stage: stage.name, text: note });
    return this.#attempt(stage, holding, verdict.inputs, verdict.key, verdict.reasons);
  }

  #evaluate(stage: Stage): Promise<StageStatus> {
    return evaluate(this.#project, stage, this.#options).catch((error) => {
      if (error instanceof MissingInputs) throw new ReproError(error.message, 1);
      throw error;
    });
  }

  async #attempt(
    stage: Stage,
    holding: Holding,
    inputs: Parameters<typeof attemptStage>[1],
    key: string,
    reasons: StageStatus['reasons'],
  ): Promise<Outcome> {
    const started = new Date();
    const log = this.#ledger.openLog(stage.name, started);
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
      commit: this.#options.commit !== false,
      log,
      listen: this.#listen,
      notes: this.#groups.notes,
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
    this.#ledger.record({
      stage: stage.name,
      started: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
      outcome: outcome.outcome === 'failed' ? (this.#interrupted ? 'interrupted' : 'failed') : 'ran',
      ...(outcome.outcome === 'failed' ? { exit: outcome.exit, signal: outcome.signal } : {}),
      ...gpus,
      ...(peakMemory > 0 ? { peakMemory } : {}),
      log: log.path,
    });
    return outcome;
  }
}
