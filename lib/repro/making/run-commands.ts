/** Runs the commands of a stage, with the variables that they get from repro. */
import { delimiter, join } from 'node:path';
import type { AttemptOutput } from '../attempts/index.ts';
import type { Failure } from '../messages/index.ts';
import { commandText, type Stage, type StageCommand } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import { Command, type CommandResult, shellScript } from '../processes/index.ts';
import { LISTED_PARAMS, listedParams, PARAMS_FOLDER, PARAMS_READ } from '../stage-api/index.ts';
import type { StageEvent } from './executor.ts';
import type { ParamsCopies } from './params-copies.ts';
import { STAGES_ABOVE, stagesAbove } from './stages-above.ts';

/** Resources of the process that its commands use. */
export interface CommandContext {
  project: Project;
  /** Ids of the GPUs that the stage has for itself. */
  gpus: readonly string[];
  /** Bytes of memory that the stage may use. */
  memoryShare: number;
  /** Whether this machine has GPUs that are leased to stages. */
  leasesGpus: boolean;
  /** File descriptor that process groups are noted on, see ProcessGroups. */
  groupsFd: number;
  log: AttemptOutput;
  listen(event: StageEvent): void;
  /** Copies of params files. */
  copies: ParamsCopies;
  /** Of an incremental stage: the absolute path of the file that lists what changed. */
  changes?: string;
  /** Called when a command has been started. */
  began(command: Command): void;
  /** Called when it has ended. */
  ended(command: Command): void;
  isInterrupted(): boolean;
}

/** The shell's exit code for a program that it cannot find (POSIX, Shell Command Language, 2.8.2). */
const COMMAND_NOT_FOUND = 127;

/** Runs the commands in order, up to the first that fails. Returns undefined when all have succeeded. */
export async function runCommands(stage: Stage, context: CommandContext): Promise<Failure | undefined> {
  const { project, groupsFd } = context;
  for (const cmd of stage.cmd) {
    const cwd = join(project.root, stage.wdir);
    const request = { ...shellScript(cmd), cwd, env: await environment(stage, context), groupsFd };
    const command = new Command(request, {
      timeout: stage.timeout,
      onOutput: (text) => {
        context.log.write(text);
        context.listen({ event: 'output', stage: stage.name, text });
      },
      onProgress: ({ done, total, unit, text }) =>
        context.listen({ event: 'progress', stage: stage.name, done, total, unit, text }),
    });
    context.began(command);
    const result = await command.result;
    context.ended(command);
    const failure = failureOf(stage, cmd, result, context.isInterrupted());
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** How a command failed; undefined if it succeeded. */
function failureOf(
  stage: Stage,
  cmd: StageCommand,
  { exit, signal, timedOut, error }: CommandResult,
  isInterrupted: boolean,
): Failure | undefined {
  const how = {
    ...(stage.cmd.length > 1 ? { cmd: commandText(cmd) } : {}),
    ...(exit === undefined ? {} : { exit }),
    ...(signal === undefined ? {} : { signal }),
  };
  if (isInterrupted) return { reason: 'interrupted', ...how };
  if (error !== undefined) return { reason: 'not-started', error, ...how };
  if (timedOut) return { reason: 'timeout', timeout: stage.timeout!, ...how };
  if (signal !== undefined) return { reason: 'signal', ...how, signal };
  if (exit === COMMAND_NOT_FOUND) return { reason: 'not-found', ...how };
  return exit === 0 ? undefined : { reason: 'exit', ...how };
}

/** The variables that a stage's commands get in addition to repro's own environment. */
async function environment(
  stage: Stage,
  { project, gpus, leasesGpus, memoryShare, copies, changes }: CommandContext,
): Promise<{ [name: string]: string }> {
  const texts = new Map<string, string>();
  for (const { file } of stage.params) {
    const text = await project.stageInputs.paramsText(file, stage.name);
    if (text !== undefined) texts.set(file, text);
  }
  return {
    PATH: [join(project.root, 'node_modules/.bin'), process.env.PATH].filter(Boolean).join(delimiter),
    REPRO_STAGE: stage.name,
    REPRO_MEMORY: String(memoryShare),
    ...(changes === undefined ? {} : { REPRO_CHANGES: changes }),
    [STAGES_ABOVE]: stagesAbove(project.root, stage.name),
    [LISTED_PARAMS]: listedParams(stage.params),
    ...(texts.size > 0 ? { [PARAMS_FOLDER]: copies.write(texts), [PARAMS_READ]: copies.readFile(stage.name) } : {}),
    // tsx keeps compiled modules in a temporary folder that another user may have filled, and runs what it finds there.
    TSX_DISABLE_CACHE: '1',
    ...(leasesGpus ? { CUDA_VISIBLE_DEVICES: gpus.join(',') } : {}),
    ...stage.env,
  };
}
