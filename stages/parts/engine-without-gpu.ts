/**
 * The engine of stages that lease no GPU, such as evaluate and generate. A model that was trained on a GPU is evaluated and
 * sampled on the CPU.
 */
import type { EngineOptions } from '../../lib/engine/index.ts';
import type { TrainParams } from './params.ts';

/** @example await openEngine(engineWithoutGpu(params.train)) */
export function engineWithoutGpu({ engine, precision }: Pick<TrainParams, 'engine' | 'precision'>): EngineOptions {
  // CPUs do not compute in TF32.
  return { name: engine === 'gpu' ? 'auto' : engine, precision: precision === 'tf32' ? 'fp32' : precision, threads: 1 };
}
