/** Whether training fits into this machine's memory, asked before it is tried. */
import { totalmem } from 'node:os';
import { carriesState, countParameters, type ModelConfig, sizeOf, stateShape } from '../../models/index.ts';
import { type Engine, EngineError } from '../interface/index.ts';

/** What of a run's settings decides how much memory it takes. */
export interface StepSize {
  /** windows a step */
  batch: number;
  /** windows at a time; absent: the engine's choice */
  microbatch?: number;
}

/** V8 collects when so much has been taken outside its heap since it last did, twice the 64 MiB that it allows for. */
const uncollected = 128 * 2 ** 20;

/**
 * Bytes that a run takes at its peak beside the interpreter's own: the engine's, the copies of the weights that the run holds (the
 * last good ones and those that take their place; while a checkpoint is written, two moments beside them), and copies that wait to be
 * collected, as many, but no more than `uncollected`.
 */
export function memoryOfRun(engine: Engine, config: ModelConfig, step: StepSize, keepsCheckpoints: boolean): number {
  const copies = keepsCheckpoints ? 4 : 2;
  // before and after a step, both once more where the engine computes
  const states = carriesState(config) ? 4 * sizeOf(stateShape(config, step.batch)!) : 0;
  const held = 4 * copies * countParameters(config).total;
  return engine.memory(config, step) + held + Math.min(held, uncollected) + 4 * states;
}

/** @throws EngineError with both numbers */
export function checkMemory(engine: Engine, config: ModelConfig, step: StepSize, keepsCheckpoints: boolean): void {
  // 0 or a huge number where nothing is limited
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const available = Math.min(totalmem(), limit);
  const needed = memoryOfRun(engine, config, step, keepsCheckpoints);
  if (needed <= available) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const { batch, microbatch } = step;
  throw new EngineError(
    `training this ${config.architecture} of ${config.layers} layers × ${config.width} on batches of ${batch} windows` +
      `${microbatch === undefined ? '' : `, ${microbatch} at a time,`} needs ${gib(needed)}; this machine has ${gib(available)}. ` +
      'A smaller size, block or batch would do',
  );
}
