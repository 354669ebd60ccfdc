/**
 * `repro log [STAGE]`: lists attempts and prints the output of the last one, or of the one that goes on. It works even
 * if pipeline.yaml is broken.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Attempt, AttemptLog } from '../../attempts/index.ts';
import { type RunningRecord, runningStages } from '../../execution/index.ts';
import { select } from '../../graph/index.ts';
import { describeBytes, describeDuration } from '../../messages/index.ts';
import { findRoot } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';
import { printJson } from '../json-output.ts';
import { print, printLine, printOutput } from '../output.ts';
import { describeProgress } from '../progress-bar.ts';
import { plainTable } from '../table.ts';

/**
 * Prints the attempts, oldest first.
 *
 * @param target a stage, a group or an output; undefined: all stages, without any output of an attempt
 * @param options `last`: at most this many attempts. `tail`: only so many lines of the output. `follow`: while the stage
 *   runs, go on to print its output
 * @returns the exit code, 0
 * @throws ReproError if the target is unknown
 */
export async function log(
  target: string | undefined,
  options: { json?: boolean; last?: number; tail?: number; follow?: boolean },
): Promise<number> {
  const root = findRoot(process.cwd());
  const attemptLog = new AttemptLog(root);
  const all = attemptLog.attempts();
  const running = runningStages(root);
  const names =
    target === undefined ? undefined : await stagesOf(target, [...running.keys(), ...all.map(({ stage }) => stage)]);
  const current = [...running].filter(([stage]) => names === undefined || names.has(stage));
  const attempts = all
    .filter(({ stage }) => names === undefined || names.has(stage))
    .slice(-(options.last ?? (target ? 1000 : 30)));
  if (options.json) {
    printJson(attempts, 2);
    return 0;
  }
  if (attempts.length === 0 && current.length === 0) {
    printLine(target === undefined ? 'nothing has run yet' : `${target} has not run yet`);
    return 0;
  }
  const header = [
    ...['stage', 'started', 'took', 'outcome', 'gpus', 'gpu model', 'gpu memory', 'gpu busy'],
    ...['peak memory', 'job', 'node', 'queued'],
  ];
  const rows = [...attempts.map(toRow), ...current.map(([stage, record]) => runningRow(stage, record))];
  const isUsed = header.map((_, i) => rows.some((cells) => cells[i] !== ''));
  const usedColumns = (cells: readonly string[]) => cells.filter((_, i) => isUsed[i]);
  print(plainTable(usedColumns(header), rows.map(usedColumns)));
  if (target === undefined) return 0;
  const [stage, record] = current.at(-1) ?? [];
  // A job that waits has no output yet.
  const path = record?.log || attempts.at(-1)?.log;
  if (path === undefined) return 0;
  print('\n');
  printLine(`${path}:`);
  const isComplete = () => stage === undefined || runningStages(root).get(stage)?.started !== record!.started;
  await printLog(
    options.follow ? attemptLog.follow(path, options.tail, isComplete) : attemptLog.read(path, options.tail),
  );
  return 0;
}

/** Longest part of a line that is printed at once. */
const LONGEST_PART = 64 << 10;

/** Prints the pieces of a log line by line, so that a log of any size and with any lines fits into memory. */
async function printLog(pieces: Iterable<string> | AsyncIterable<string>): Promise<void> {
  let rest = '';
  for await (const piece of pieces) {
    const text = rest + piece;
    const end = text.length > LONGEST_PART && !text.includes('\n') ? text.length : text.lastIndexOf('\n') + 1;
    printOutput(text.slice(0, end));
    rest = text.slice(end);
    // Lets repro notice that the reader has gone.
    await nextTurn();
  }
  printOutput(rest);
}

/**
 * The stages that a target names. A stage with attempts is found without the pipeline, even if it was removed from it.
 */
async function stagesOf(target: string, known: readonly string[]): Promise<Set<string>> {
  if (known.includes(target)) return new Set([target]);
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  return new Set(select(project.graph, { at: project, targets: [target], single: true }));
}

/** The row of a stage that runs now. */
function runningRow(stage: string, { started, gpus, progress, job = '', node = '', queued }: RunningRecord): string[] {
  const seconds = (Date.now() - Date.parse(started)) / 1000;
  if (queued !== undefined)
    return [stage, localTime(started), '', 'queued', '', ...NO_GPU_USE, '', job, node, describeDuration(seconds)];
  const state = progress === undefined ? 'running' : `running (${describeProgress(progress)})`;
  return [
    stage,
    localTime(started),
    describeDuration(seconds),
    state,
    gpus?.join(',') ?? '',
    ...NO_GPU_USE,
    '',
    job,
    node,
    '',
  ];
}

const NO_GPU_USE = ['', '', ''];

/** Swedish format: date and time as in ISO 8601, in local time. */
function localTime(time: string): string {
  return new Date(time).toLocaleString('sv-SE');
}

function describeGpuUse({ model, peakMemory, utilization }: NonNullable<Attempt['gpuUse']>): string[] {
  return [model, describeBytes(peakMemory), `${utilization.toFixed(0)} %`];
}

function toRow(attempt: Attempt): string[] {
  const { stage, started, seconds, outcome, exit, signal, gpus, gpuUse, peakMemory, ...slurm } = attempt;
  const ending = signal ?? (exit !== undefined && exit !== 0 ? `exit ${exit}` : '');
  return [
    stage,
    localTime(started),
    describeDuration(seconds),
    ending ? `${outcome} (${ending})` : outcome,
    gpus?.join(',') ?? '',
    ...(gpuUse === undefined ? NO_GPU_USE : describeGpuUse(gpuUse)),
    peakMemory === undefined ? '' : describeBytes(peakMemory),
    slurm.job ?? '',
    slurm.node ?? '',
    slurm.queued === undefined ? '' : describeDuration(slurm.queued),
  ];
}
