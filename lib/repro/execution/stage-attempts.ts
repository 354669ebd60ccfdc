/**
 * Attempts at the stages of one call: made by an executor, here or as jobs of Slurm, then recorded. What other
 * terminals see of them, and the log of attempts, are kept here too.
 */
import { AttemptLog } from '../attempts/index.ts';
import { type Elsewhere, type Machine, memoryShare } from '../forecast/index.ts';
import { LocalExecutor, type Moved, type Place, type Waiting } from '../making/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { Project, Reason, SettledStatus } from '../planning/index.ts';
import { SlurmExecutor } from '../slurm/index.ts';
import { failedOutcome, type Listener, type Outcome, skippedOutcome } from './events.ts';
import type { Leases } from './leases.ts';
import { recordStage } from './record-stage.ts';
import { elsewhereOf, type RunOptions } from './run-options.ts';
import { RunningStages } from './running-stages.ts';

/** Parts and options that all attempts of a call share. */
export interface AttemptParts {
  project: Project;
  options: RunOptions;
  machine: Machine;
  /** How many stages run here at once. */
  jobs: number;
  /** How many stages of each group may run at once, by group. */
  mayRun: ReadonlyMap<string, number>;
  stageLeases: Leases | undefined;
  listen: Listener;
}

/** Makes and records stages. */
export class StageAttempts {
  /** undefined if no stage runs by Slurm, and no job of an earlier call is under way. */
  readonly slurm: SlurmExecutor | undefined;
  /** The stages that run by Slurm. */
  readonly elsewhere: Elsewhere | undefined;
  readonly log: AttemptLog;
  readonly #parts: AttemptParts;
  readonly #local: LocalExecutor;
  readonly #running: RunningStages;
  /** The params files that programs of each group read from copies, by group. */
  readonly #readFromCopy = new Map<string, ReadonlySet<string>>();
  #isInterrupted = false;

  constructor(parts: AttemptParts) {
    const { project, options, machine, stageLeases, listen } = parts;
    this.#parts = parts;
    const { slurm } = options;
    this.elsewhere = elsewhereOf(slurm);
    const leasesGpus = machine.gpus.length > 0;
    this.#local = new LocalExecutor(project, { groupsFolder: stageLeases?.folder ?? '', leasesGpus });
    if (slurm !== undefined)
      this.slurm = new SlurmExecutor({ project, ...slurm, tell: (text) => listen({ event: 'note', text }) });
    this.log = new AttemptLog(project.root);
    this.#running = new RunningStages(project.root);
  }

  /** The params files that programs of a group of stages were seen to read from copies. */
  readFromCopy(group: string): ReadonlySet<string> {
    return this.#readFromCopy.get(group) ?? new Set();
  }

  /** Whether a stage with these inputs is made by Slurm: it is to be, or an earlier call has submitted it. */
  isJob(stage: Stage, key: string): boolean {
    return this.elsewhere?.has(stage) || this.slurm?.holdsKey(stage.name, key) || false;
  }

  /**
   * Makes and records a stage.
   *
   * @param gpus ids of the GPUs of this machine that it has for itself
   * @returns `moved` if it is to be judged anew
   * @throws ReproError if an old output cannot be removed; then nothing has run
   */
  async attempt(
    stage: Stage,
    { inputs, key, reasons }: Extract<SettledStatus, { state: 'stale' }>,
    gpus: readonly string[],
  ): Promise<Outcome | Moved> {
    const { options, listen, project, jobs, machine, mayRun } = this.#parts;
    const isJob = this.isJob(stage, key);
    const executor = isJob ? this.slurm! : this.#local;
    const attempted = await executor.make({
      stage,
      inputs,
      key,
      gpus,
      memoryShare: memoryShare(stage.resources, mayRun.get(stage.group) ?? 1, jobs, machine),
      commit: options.commit !== false,
      fromNothing: options.force === true,
      readFromCopy: this.readFromCopy(stage.group),
      wait: (where) => this.#showQueued(stage.name, where),
      listen: (event) => {
        if (event.event === 'progress') this.#running.progress(stage.name, event);
        listen(event);
      },
      begin: (where) => this.#showStart(stage, reasons, where),
    });
    if (!('made' in attempted)) this.#running.end(stage.name);
    if ('moved' in attempted) return attempted;
    if ('detached' in attempted) return skippedOutcome({ reason: 'detached', ...attempted.detached });
    const { made, started, log, peakMemory, readFromCopy, release, ...where } = attempted;
    // An earlier call may have submitted a job that keeps its outputs.
    if (options.commit === false) delete made.outs;
    const note = (text: string) => listen({ event: 'note', stage: stage.name, text });
    const failure = made.failure ?? (await recordStage(project, { stage, inputs, key }, made, note));
    if (release !== undefined) await project.lock.written();
    release?.();
    this.#running.end(stage.name);
    this.#readFromCopy.set(stage.group, readFromCopy);
    const cost = options.expectation.costs.get(stage.name);
    this.log.record({
      stage: stage.name,
      started,
      seconds: isJob ? made.seconds : (Date.now() - Date.parse(started)) / 1000,
      outcome: failure === undefined ? 'ran' : this.#isInterrupted ? 'interrupted' : 'failed',
      ...(failure !== undefined && 'exit' in failure ? { exit: failure.exit } : {}),
      ...(failure !== undefined && 'signal' in failure ? { signal: failure.signal } : {}),
      ...where,
      ...(cost === undefined ? {} : { cost: cost.seconds }),
      ...(peakMemory > 0 ? { peakMemory } : {}),
      log,
    });
    return failure === undefined
      ? { outcome: 'ran', seconds: made.seconds }
      : failedOutcome(failure, made.seconds, log);
  }

  /** Ends what runs, here and as jobs. @param isRepeated the user has asked for it before */
  interrupt(signal: NodeJS.Signals, isRepeated: boolean): void {
    this.#isInterrupted = true;
    this.#local.interrupt(signal, isRepeated);
    this.slurm?.interrupt(signal, isRepeated);
  }

  /** Ends what runs here. Jobs go on. */
  detach(): void {
    this.#local.interrupt('SIGTERM', false);
    this.slurm?.detach();
  }

  async close(): Promise<void> {
    await this.#local.close();
    await this.slurm?.close();
    this.log.close();
    this.#running.close();
  }

  #showStart(stage: Stage, reasons: readonly Reason[], where: Place): void {
    const { started: _, log: __, ...place } = where;
    this.#parts.listen({
      event: 'start',
      stage: stage.name,
      cmd: stage.cmd,
      reasons,
      ...place,
      expected: this.#parts.options.expectation.seconds.get(stage.name),
    });
    this.#running.start(stage.name, where);
  }

  #showQueued(stage: string, { job, since, reason }: Waiting): void {
    const why = reason === undefined ? {} : { reason };
    this.#running.start(stage, { started: since, log: '', job, queued: why });
    this.#parts.listen({ event: 'queued', stage, job, since, ...why });
  }
}
