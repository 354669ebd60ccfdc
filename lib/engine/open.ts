/**
 * Opens the engine that is named. Without a name: a GPU that was leased, else the native engine if its addon is built, else
 * TensorFlow.js.
 */
import { StaleAddonError } from '../../native/built.mjs';
import { type Engine, EngineError, type EngineOptions } from './interface/index.ts';

/**
 * Opens the engine that the options name. `auto` takes a GPU only if CUDA_VISIBLE_DEVICES names one, as it does in a stage
 * that leases one. Where auto cannot have the engine that it would take, it says why on stderr and takes the next.
 *
 * @throws EngineError if an option is wrong, or the named engine is not available
 * @throws StaleAddonError if the addon was built from other sources than those beside it
 * @example const engine = await openEngine({ name: 'native', threads: 2 })
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { name = 'auto', precision = 'fp32', products = 'auto' } = options;
  checkChoice('engine', name, ['auto', 'native', 'gpu', 'tfjs']);
  checkChoice('precision', precision, ['fp32', 'tf32', 'bf16']);
  checkChoice('products', products, ['auto', 'own', 'cublas']);
  if (name === 'gpu') {
    const { openGpu } = await import('./gpu/index.ts');
    return openGpu(options);
  }
  const leased = name === 'auto' && isGpuLeased() ? await openLeasedGpu(options) : undefined;
  if (leased) return leased;
  if (precision === 'tf32')
    throw new EngineError(
      'only GPUs compute in tf32; set the precision to fp32, or train with the engine gpu and lease a GPU for each run (gpus: 1)',
    );
  if (name === 'native' || (name === 'auto' && (await isNativeBuilt()))) {
    const { openNative } = await import('./native/index.ts');
    return openNative(options);
  }
  const { openTfjs } = await import('./tfjs/index.ts');
  return openTfjs(options);
}

/** Whether CUDA_VISIBLE_DEVICES names a GPU. repro sets it to nothing for stages that lease none. */
function isGpuLeased(): boolean {
  const [first = ''] = (process.env.CUDA_VISIBLE_DEVICES ?? '').split(',');
  return first.trim() !== '' && first.trim() !== '-1' && first.trim() !== 'NoDevFiles';
}

async function openLeasedGpu(options: EngineOptions): Promise<Engine | undefined> {
  const { openGpu } = await import('./gpu/index.ts');
  try {
    return openGpu(options);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    process.stderr.write(`warning: training on the CPU, although a GPU was leased: ${error.message}\n`);
    return undefined;
  }
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
