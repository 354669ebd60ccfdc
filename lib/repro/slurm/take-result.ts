/** Turns the result that a node has written into what the stage made. */
import type { Scanned } from '../hashing/index.ts';
import type { Attempted, Moved } from '../making/index.ts';
import { describeBytes } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { type Project, touches } from '../planning/index.ts';
import { acceptOutputs } from './accept-outputs.ts';
import type { CellResult } from './attempt-files.ts';
import { OUT_OF_MEMORY } from './job-states.ts';
import { addTo } from './remembered.ts';

/** The job of a result. */
export interface JobOfResult {
  job: string | undefined;
  /** ISO 8601 time of the submission. */
  submitted: string;
  /** Seconds that a file may be late. */
  latency: number;
  /** Whether a stage runs by Slurm. */
  isJob(stage: Stage): boolean;
}

/**
 * Turns the result of a cell into the result of its attempt. It checks and accepts the outputs.
 *
 * @returns undefined if the commands ended after a SIGTERM: Slurm's state then says what became of the job
 */
export async function takeResult(
  project: Project,
  stage: Stage,
  result: CellResult,
  { job, submitted, latency, isJob }: JobOfResult,
): Promise<Attempted | Moved | undefined> {
  const { made, started, node, gpus, gpuUse, log, peakMemory } = result;
  const name = result.job ?? job;
  if (result.moved !== undefined) {
    // A report may be older than what the node has found.
    const { reported } = project.stageInputs;
    for (const path of reported.paths) if (touches(path, result.moved)) reported.drop(path);
    return { moved: result.moved };
  }
  if (made === undefined || (result.wasTerminated && made.failure !== undefined)) return undefined;
  addTo(project.state, result.learned);
  let { failure } = made;
  if (result.oomKills > 0) failure = { reason: 'error', message: describeMemory(stage, result) };
  else if (failure === undefined && made.outs !== undefined)
    failure = await acceptOutputs(project, stage, outputsOf(result, made.outs), { node, latency, isJob });
  project.stageInputs.forget();
  return {
    made: failure === undefined ? made : { seconds: made.seconds, failure },
    started,
    ...(log === undefined ? {} : { log }),
    peakMemory,
    readFromCopy: new Set(result.readFromCopy),
    ...(gpus.length > 0 ? { gpus } : {}),
    ...(gpuUse === undefined ? {} : { gpuUse }),
    ...(name === undefined ? {} : { job: name }),
    node,
    queued: Math.max(0, (Date.parse(started) - Date.parse(submitted)) / 1000),
  };
}

/** The outputs of a result, with the lists of the files of folders. */
function outputsOf({ manifests = {} }: CellResult, outs: NonNullable<Attempted['made']['outs']>): Map<string, Scanned> {
  return new Map(
    Object.entries(outs).map(([path, content]) => {
      const manifest = manifests[path];
      return [path, { content, ...(manifest === undefined ? {} : { manifest }) }];
    }),
  );
}

/**
 * The sentence about a job that took too much memory.
 *
 * @param seen bytes, if the node reported them: the memory of the job, and the most that its commands used
 */
export function describeMemory(
  { resources }: Stage,
  { memory, peakMemory = 0 }: { memory?: number; peakMemory?: number },
): string {
  const peak = peakMemory > 0 ? `, and was seen with ${describeBytes(peakMemory)}` : '';
  if (resources.memory > 0) return `${OUT_OF_MEMORY}: it asked for ${describeBytes(resources.memory)}${peak}`;
  const given = memory === undefined ? '' : `: ${describeBytes(memory)} with what repro itself needs`;
  return `${OUT_OF_MEMORY}: it does not say how much it needs, so it got what the cluster gives by default${given}${peak}; say it in pipeline.yaml (resources: {memory: …})`;
}
