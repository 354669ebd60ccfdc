/** Opens an engine: the native one if its addon is built, TensorFlow.js otherwise, or the engine that is named. */
import { StaleAddonError } from '../../native/built.mjs';
import { type Engine, EngineError, type EngineOptions } from './interface/index.ts';

/**
 * Opens the engine that the options name. With `name` auto and no addon, it writes a warning to stderr and opens tfjs.
 *
 * @throws EngineError if an option is wrong, or the named engine is not available
 * @throws StaleAddonError if the addon was built from other sources than those beside it
 * @example const engine = await openEngine({ name: 'native', threads: 2 })
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { name = 'auto', precision = 'fp32' } = options;
  checkChoice('engine', name, ['auto', 'native', 'tfjs']);
  checkChoice('precision', precision, ['fp32', 'bf16']);
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

function checkChoice(key: string, value: string, choices: string[]): void {
  if (!choices.includes(value)) throw new EngineError(`${key} is ${value}; it must be one of ${choices.join(', ')}`);
}
