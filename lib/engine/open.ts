/** Which engine computes: the native one where its addon is built, TensorFlow.js otherwise, or the one that is named. */
import { availableParallelism } from 'node:os';
import type { Engine, EngineOptions } from './engine.ts';
import { EngineError } from './error.ts';

/**
 * @throws EngineError when the options are wrong, or the named engine is not to be had
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { name = 'auto' } = options;
  checkOptions(options);
  if (name !== 'tfjs')
    try {
      const { openNative } = await import('./native.ts');
      return openNative(options);
    } catch (error) {
      if (name === 'native') throw error;
      process.stderr.write(`warning: training in TensorFlow.js, which is slow: ${(error as Error).message}\n`);
    }
  const { openTfjs } = await import('./tfjs.ts');
  return openTfjs(options);
}

function checkOptions({ name = 'auto', precision = 'fp32', threads = 1 }: EngineOptions): void {
  const choose = (key: string, value: string, from: string[]) => {
    if (!from.includes(value)) throw new EngineError(`${key} is ${value}; it must be one of ${from.join(', ')}`);
  };
  choose('engine', name, ['auto', 'native', 'tfjs']);
  choose('precision', precision, ['fp32', 'bf16']);
  const cores = availableParallelism();
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > cores)
    throw new EngineError(
      `threads is ${threads}; it must be a whole number from 1 to ${cores}, the cores of this machine`,
    );
}
