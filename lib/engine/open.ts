/** Which engine computes: the native one where its addon is built, TensorFlow.js otherwise, or the one that is named. */
import { StaleAddonError } from '../../native/built.mjs';
import { type Engine, EngineError, type EngineOptions } from './interface/index.ts';

/**
 * @throws EngineError when the options are wrong, or the named engine is not to be had
 * @throws StaleAddonError when the addon is of other sources than those beside it
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { name = 'auto', precision = 'fp32' } = options;
  choose('engine', name, ['auto', 'native', 'tfjs']);
  choose('precision', precision, ['fp32', 'bf16']);
  if (name === 'native' || (name === 'auto' && (await isNativeBuilt()))) {
    const { openNative } = await import('./native/index.ts');
    return openNative(options);
  }
  const { openTfjs } = await import('./tfjs/index.ts');
  return openTfjs(options);
}

async function isNativeBuilt(): Promise<boolean> {
  const { loadAddon } = await import('./native/index.ts');
  try {
    loadAddon();
    return true;
  } catch (error) {
    if (error instanceof StaleAddonError) throw error;
    process.stderr.write(`warning: training in TensorFlow.js, which is slow: ${(error as Error).message}\n`);
    return false;
  }
}

function choose(key: string, value: string, from: string[]): void {
  if (!from.includes(value)) throw new EngineError(`${key} is ${value}; it must be one of ${from.join(', ')}`);
}
