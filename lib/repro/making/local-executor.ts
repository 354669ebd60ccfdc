/**
 * Makes stages on this machine. It holds what their commands share: the file of process groups, the copies of params
 * files, and the measurement of memory and GPUs.
 */
import { AttemptLog } from '../attempts/index.ts';
import type { Project } from '../planning/index.ts';
import { type Command, GpuUse, PeakMemory, ProcessGroups } from '../processes/index.ts';
import type { Attempted, Executor, Work } from './executor.ts';
import { makeStage } from './make-stage.ts';
import { ParamsCopies } from './params-copies.ts';

/** Resources of the process that a local executor needs. */
export interface LocalOptions {
  /** A folder of this machine for the file of process groups, see ProcessGroups. */
  groupsFolder: string;
  /** Whether this machine has GPUs that are leased to stages. */
  leasesGpus: boolean;
}

/** Makes stages by running their commands here. */
export class LocalExecutor implements Executor {
  readonly #project: Project;
  readonly #leasesGpus: boolean;
  readonly #groups: ProcessGroups;
  readonly #memory = new PeakMemory();
  readonly #gpuUse = new GpuUse();
  readonly #commands = new Set<Command>();
  readonly #copies: ParamsCopies;
  readonly #logs: AttemptLog;
  #isInterrupted = false;

  constructor(project: Project, { groupsFolder, leasesGpus }: LocalOptions) {
    this.#project = project;
    this.#leasesGpus = leasesGpus;
    this.#groups = new ProcessGroups(groupsFolder);
    this.#copies = new ParamsCopies(project.root);
    this.#logs = new AttemptLog(project.root);
  }

  async make(work: Work): Promise<Attempted> {
    const { stage, inputs, key, gpus } = work;
    const started = new Date();
    const log = this.#logs.openLog(stage.name, started);
    const named = gpus.length > 0 ? { gpus } : {};
    work.begin({ started: started.toISOString(), log: log.file, ...named });
    let peakMemory = 0;
    const gpuWatch = this.#gpuUse.watch(gpus);
    const made = await makeStage(stage, inputs, key, {
      project: this.#project,
      gpus,
      memoryShare: work.memoryShare,
      leasesGpus: this.#leasesGpus,
      commit: work.commit,
      fromNothing: work.fromNothing,
      log,
      listen: work.listen,
      groupsFd: this.#groups.fd,
      copies: this.#copies,
      began: (command) => {
        this.#commands.add(command);
        this.#memory.watch(command);
      },
      ended: (command) => {
        this.#commands.delete(command);
        peakMemory = Math.max(peakMemory, this.#memory.end(command));
      },
      isInterrupted: () => this.#isInterrupted,
    }).finally(() => this.#gpuUse.end(gpuWatch));
    const gpuUse = this.#gpuUse.end(gpuWatch);
    log.close();
    if (log.problem !== undefined) work.listen({ event: 'note', stage: stage.name, text: log.problem });
    return {
      made,
      started: started.toISOString(),
      log: log.path,
      peakMemory,
      readFromCopy: this.#copies.filesRead(stage.name),
      ...named,
      ...(gpuUse && { gpuUse }),
    };
  }

  interrupt(signal: NodeJS.Signals, isRepeated: boolean): void {
    this.#isInterrupted = true;
    for (const command of this.#commands) command.kill(isRepeated ? 'SIGKILL' : signal);
  }

  async close(): Promise<void> {
    this.#groups.close();
    this.#copies.close();
  }
}
