/** Whether a training step fits into this machine's memory, asked before it is tried. */
import { totalmem } from 'node:os';
import type { ModelConfig } from '../models/index.ts';
import type { Engine } from './engine.ts';
import { EngineError } from './error.ts';

/**
 * @param microbatch sequences taken at a time
 * @throws EngineError with both numbers
 */
export function checkMemory(engine: Engine, config: ModelConfig, microbatch: number): void {
  // 0 or a huge number where nothing is limited
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const available = Math.min(totalmem(), limit);
  const needed = engine.memory(config, microbatch);
  if (needed <= available) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new EngineError(
    `training this ${config.architecture} of ${config.layers} layers × ${config.width} needs ${gib(needed)} with microbatches ` +
      `of ${microbatch}; this machine has ${gib(available)}`,
  );
}
