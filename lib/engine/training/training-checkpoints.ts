/**
 * Checkpoints of a run that has not ended, from which an interrupted run continues.
 *
 * The folder holds one checkpoint, `step-N`, where N counts the steps of all cooldowns too. It is written under the
 * name `partial` and renamed when complete; then the one before it is deleted.
 *
 *   step-120/                config.json, model.safetensors, optimizer.safetensors (see lib/models/checkpoint.ts);
 *                            the optimizer's file also holds the run's identity, its progress and a carried state
 *   step-120/last-good/      config.json, model.safetensors of the last evaluated step, if that is an earlier one
 *   step-120/trunk/          during a cooldown to a smaller budget: the run as it was before, with its optimizer
 *   step-120/budget-1/, …    the models of the smaller budgets that have ended
 *
 * A checkpoint is refused if its run differs in data, settings or seed. It is also refused if the engine, precision or
 * number of threads differs, because training would continue with other bits.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Checkpoint,
  loadCheckpoint,
  type OptimizerState,
  saveCheckpoint,
  type Tensor,
  type Weights,
} from '../../models/index.ts';
import { EngineError } from '../interface/index.ts';

/** Everything that determines the bits of a run: engine, configuration, settings, seed and data. Compared as JSON. */
export type RunIdentity = Record<string, unknown>;

/** A checkpoint that training can continue from. */
export interface TrainingCheckpoint<Progress> extends Checkpoint {
  optimizer: OptimizerState;
  progress: Progress;
  /** weights to return if the run diverges; absent if they are the checkpoint's own weights or the initial ones */
  lastGood?: Weights;
  /** the state that the run continues from when the cooldown to a smaller budget has ended */
  trunk?: { weights: Weights; optimizer: OptimizerState; state: Tensor | undefined };
  /** weights of the smaller budgets that have ended */
  branchWeights: Weights[];
}

const LAST_GOOD = 'last-good';
const TRUNK = 'trunk';
const BUDGET = 'budget-';
const PARTIAL = 'partial';

/**
 * Writes a checkpoint and deletes earlier ones. Does nothing if the folder has a checkpoint of this step.
 *
 * @param dir folder for this run's checkpoints, made if necessary
 * @param stepsMade number of steps that were made in all
 */
export async function writeCheckpoint(
  dir: string,
  identity: RunIdentity,
  stepsMade: number,
  checkpoint: TrainingCheckpoint<unknown>,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const earlier = await listCheckpoints(dir);
  const name = `step-${stepsMade}`;
  if (earlier.includes(name)) return;
  const partial = join(dir, PARTIAL);
  await rm(partial, { recursive: true, force: true });
  const { config, weights, optimizer, state, progress, lastGood, trunk, branchWeights } = checkpoint;
  await saveCheckpoint(partial, { config, weights, optimizer, state, progress: { identity, progress } });
  if (lastGood) await saveCheckpoint(join(partial, LAST_GOOD), { config, weights: lastGood });
  if (trunk) await saveCheckpoint(join(partial, TRUNK), { config, ...trunk });
  for (const [i, ended] of branchWeights.entries())
    await saveCheckpoint(join(partial, `${BUDGET}${i + 1}`), { config, weights: ended });
  await rename(partial, join(dir, name));
  for (const each of earlier) await rm(join(dir, each), { recursive: true, force: true });
}

/**
 * Reads the newest checkpoint in the folder.
 *
 * @returns undefined if there is none
 * @throws EngineError if the checkpoint belongs to another run, with the first difference, or has no optimizer state
 * @throws ModelError if its files are missing or damaged
 */
export async function readCheckpoint<Progress>(
  dir: string,
  identity: RunIdentity,
): Promise<TrainingCheckpoint<Progress> | undefined> {
  const newest = (await listCheckpoints(dir)).at(-1);
  if (newest === undefined) return undefined;
  const checkpoint = await loadCheckpoint(join(dir, newest));
  const saved = checkpoint.progress as { identity: RunIdentity; progress: Progress } | null;
  if (!checkpoint.optimizer || !saved)
    throw new EngineError(`${join(dir, newest)} has no optimizer state to continue from; delete it to start again`);
  const difference = firstDifference(saved.identity, JSON.parse(JSON.stringify(identity)));
  if (difference !== undefined)
    throw new EngineError(
      `${dir} has a checkpoint of another run: ${difference}. ${describeRemedy(difference, saved.identity, identity)}Delete it to start again, or name another folder`,
    );
  const part = (name: string) => join(dir, newest, name);
  const lastGood = existsSync(part(LAST_GOOD)) ? (await loadCheckpoint(part(LAST_GOOD))).weights : undefined;
  const trunk = existsSync(part(TRUNK)) ? await loadCheckpoint(part(TRUNK)) : undefined;
  if (trunk && !trunk.optimizer)
    throw new EngineError(`${part(TRUNK)} has no optimizer state to continue from; delete ${dir} to start again`);
  const branchWeights: Weights[] = [];
  while (existsSync(part(`${BUDGET}${branchWeights.length + 1}`)))
    branchWeights.push((await loadCheckpoint(part(`${BUDGET}${branchWeights.length + 1}`))).weights);
  return {
    ...checkpoint,
    ...{ optimizer: checkpoint.optimizer, progress: saved.progress, lastGood, branchWeights },
    trunk: trunk && { weights: trunk.weights, optimizer: trunk.optimizer!, state: trunk.state },
  };
}

/** Deletes all checkpoints of a run that is complete. */
export async function deleteCheckpoints(dir: string): Promise<void> {
  for (const each of [...(await listCheckpoints(dir)), PARTIAL])
    await rm(join(dir, each), { recursive: true, force: true });
}

/** The names of the checkpoints in the folder, oldest first. */
async function listCheckpoints(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const stepOf = (name: string) => Number(name.slice('step-'.length));
  return names.filter((name) => /^step-\d+$/.test(name)).sort((a, b) => stepOf(a) - stepOf(b));
}

/** For example "settings.batch was 8 and is 16"; undefined if both are equal. */
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

/** Advice on how to continue a run whose kernels differ only in cuBLASLt; "" if the difference is another one. */
function describeRemedy(difference: string, was: RunIdentity, is: RunIdentity): string {
  if (!difference.startsWith('engine.kernels ')) return '';
  const [before, now] = [was, is].map(({ engine }) => (engine as { kernels: string }).kernels);
  const [kernels, library] = splitKernels(before);
  if (kernels !== splitKernels(now)[0]) return '';
  if (library === undefined) return 'To continue it, set train.products: own. ';
  const setting = library.endsWith(ALL_PRODUCTS) ? 'cublas' : 'auto';
  const version = library.replace(ALL_PRODUCTS, '');
  return `To continue it, set train.products: ${setting}, and name cuBLASLt ${version} in CUBLASLT_LIBRARY. `;
}

/** How the gpu engine names cuBLASLt: "NVIDIA H200, kernels 1a2b3c4d, cuBLASLt 12.8.4 for all products". */
const ALL_PRODUCTS = ' for all products';
const splitKernels = (kernels: string) => kernels.split(', cuBLASLt ') as [kernels: string, library?: string];

function describeValue(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}
