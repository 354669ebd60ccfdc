/**
 * Checkpoints of a run under way: a folder step-N at a time, whole or not there at all, and the newest is where a resumed run
 * goes on. A checkpoint of another run (other data, settings or seed) is refused, not trained on, and so is one that another
 * engine, precision or number of threads would go on from with other bits.
 *
 *   step-120/                config.json, model.safetensors, optimizer.safetensors with identity, progress and carried state
 *   step-120/last-good/      config.json, model.safetensors of an earlier step
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Checkpoint,
  loadCheckpoint,
  type OptimizerState,
  saveCheckpoint,
  type Weights,
} from '../../models/index.ts';
import { EngineError } from '../interface/index.ts';

/** What makes a run this run and no other; compared as JSON. */
export type Identity = Record<string, unknown>;

export interface Resumed<Progress> extends Checkpoint {
  optimizer: OptimizerState;
  progress: Progress;
  /** weights to return if what follows diverges, where they are not the ones above or the initial ones */
  lastGood?: Weights;
}

const lastGoodFolder = 'last-good';

/** Written beside the one before, which is deleted after. */
export async function keepCheckpoint(dir: string, identity: Identity, checkpoint: Resumed<unknown>): Promise<void> {
  await mkdir(dir, { recursive: true });
  const earlier = await stepsIn(dir);
  const name = `step-${checkpoint.optimizer.step}`;
  if (earlier.includes(name)) return;
  const partial = join(dir, 'partial');
  await rm(partial, { recursive: true, force: true });
  const { config, weights, optimizer, state, progress, lastGood } = checkpoint;
  await saveCheckpoint(partial, { config, weights, optimizer, state, progress: { identity, progress } });
  if (lastGood) await saveCheckpoint(join(partial, lastGoodFolder), { config, weights: lastGood });
  await rename(partial, join(dir, name));
  for (const each of earlier) await rm(join(dir, each), { recursive: true, force: true });
}

/**
 * @returns the newest checkpoint in the folder, undefined if there is none
 * @throws EngineError when it is of another run
 */
export async function resumeFrom<Progress>(dir: string, identity: Identity): Promise<Resumed<Progress> | undefined> {
  const newest = (await stepsIn(dir)).at(-1);
  if (newest === undefined) return undefined;
  const checkpoint = await loadCheckpoint(join(dir, newest));
  const kept = checkpoint.progress as { identity: Identity; progress: Progress } | null;
  if (!checkpoint.optimizer || !kept)
    throw new EngineError(`${join(dir, newest)} has no optimizer's state to go on from; delete it to start anew`);
  const difference = firstDifference(kept.identity, JSON.parse(JSON.stringify(identity)));
  if (difference !== undefined)
    throw new EngineError(
      `${dir} has a checkpoint of another run: ${difference}. Delete it to start anew, or name another folder`,
    );
  const lastGoodDir = join(dir, newest, lastGoodFolder);
  const lastGood = existsSync(lastGoodDir) ? (await loadCheckpoint(lastGoodDir)).weights : undefined;
  return { ...checkpoint, optimizer: checkpoint.optimizer, progress: kept.progress, lastGood };
}

/** Once a run is done there is nothing to go on from. */
export async function forgetCheckpoints(dir: string): Promise<void> {
  for (const each of [...(await stepsIn(dir)), 'partial']) await rm(join(dir, each), { recursive: true, force: true });
}

/** The checkpoints in the folder, oldest first. */
async function stepsIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const stepOf = (name: string) => Number(name.slice('step-'.length));
  return names.filter((name) => /^step-\d+$/.test(name)).sort((a, b) => stepOf(a) - stepOf(b));
}

/** "settings.batch was 8 and is 16"; undefined when the two are equal. */
function firstDifference(was: unknown, is: unknown, path = ''): string | undefined {
  if (typeof was !== 'object' || typeof is !== 'object' || was === null || is === null)
    return Object.is(was, is) ? undefined : `${path} was ${describeValue(was)} and is ${describeValue(is)}`;
  const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
  for (const key of keys) {
    const [a, b] = [was, is].map((value) => (value as Record<string, unknown>)[key]);
    const difference = firstDifference(a, b, path ? `${path}.${key}` : key);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function describeValue(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}
