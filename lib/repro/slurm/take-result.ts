/** Turns the result that a node has written into what the stage made, when this host sees its outputs too. */
import { join } from 'node:path';
import { sameContent } from '../hashing/index.ts';
import { type Attempted, isListed, type Moved } from '../making/index.ts';
import { describeBytes, type Failure } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import type { CellResult } from './attempt-files.ts';
import { OUT_OF_MEMORY } from './job-states.ts';
import { addTo } from './remembered.ts';

/** Milliseconds between two looks at outputs that come late. */
const LOOK_AGAIN = 500;

/** What is known of the job. */
export interface JobOfResult {
  job: string | undefined;
  /** In ISO 8601. */
  submitted: string;
  /** Seconds that a file may be late. */
  latency: number;
}

/**
 * What a result says.
 *
 * @returns undefined if the commands ended after a SIGTERM: Slurm's state then says what became of the job
 */
export async function takeResult(
  project: Project,
  stage: Stage,
  result: CellResult,
  { job, submitted, latency }: JobOfResult,
): Promise<Attempted | Moved | undefined> {
  const { made, started, node, gpus, log, peakMemory } = result;
  const name = result.job ?? job;
  if (result.moved !== undefined) return { moved: result.moved };
  if (made === undefined || (result.wasTerminated && made.failure !== undefined)) return undefined;
  addTo(project.state, result.learned);
  let { failure } = made;
  if (result.oomKills > 0) failure = { reason: 'error', message: describeMemory(stage, result) };
  else if (failure === undefined && made.outs !== undefined)
    failure = await waitForOutputs(project, stage, made.outs, { node, latency });
  project.stageInputs.forget();
  return {
    made: failure === undefined ? made : { seconds: made.seconds, failure },
    started,
    ...(log === undefined ? {} : { log }),
    peakMemory,
    readFromCopy: new Set(result.readFromCopy),
    ...(gpus.length > 0 ? { gpus } : {}),
    ...(name === undefined ? {} : { job: name }),
    node,
    queued: Math.max(0, (Date.parse(started) - Date.parse(submitted)) / 1000),
  };
}

/**
 * The sentence about a job that took too much memory.
 *
 * @param seen bytes, as far as the node has said: what the job has, and the most that its commands were seen with
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

/**
 * Waits until this host sees the outputs as the node has left them: on a network file system they may come late. The
 * node has hashed them, so their files are read here only if their stat data differ.
 */
async function waitForOutputs(
  project: Project,
  stage: Stage,
  outs: NonNullable<Attempted['made']['outs']>,
  { node, latency }: { node: string; latency: number },
): Promise<Failure | undefined> {
  const until = performance.now() + latency * 1000;
  for (;;) {
    project.stageInputs.forget();
    const late: string[] = [];
    for (const { path } of stage.outs)
      if (!sameContent((await project.stageInputs.output(path)).content, outs[path])) late.push(path);
    if (late.length === 0) return undefined;
    if (performance.now() > until) {
      const message = `${node} has made ${late.join(', ')}, but this host sees something else after ${latency} s; do both see this folder?`;
      return { reason: 'error', message };
    }
    for (const path of late) isListed(join(project.root, path));
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}
