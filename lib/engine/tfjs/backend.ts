/**
 * Loads TensorFlow.js on a device. Only the device cpu comes with the project (dist/tfjs.js, bundled at install). The
 * others need packages that a user installs:
 *
 *   node-gpu   @tensorflow/tfjs-node-gpu                              an NVIDIA GPU through TensorFlow's C library
 *   node       @tensorflow/tfjs-node                                  the same library on the CPU
 *   wasm       @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm     one thread in Node
 *   cpu        nothing                                                plain JavaScript: slow; the reference of the tests
 *
 * WebGPU is not supported yet.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import util from 'node:util';
import { EngineError } from '../interface/index.ts';
import { type GpuMemory, gpuMemory } from './gpu-memory.ts';

/** The API of TensorFlow.js core. */
export type TensorFlow = typeof import('@tensorflow/tfjs-core');

/** The devices, in the order in which they are tried if no device is named. */
const DEVICES = {
  'node-gpu': {
    load: () => loadNode('@tensorflow/tfjs-node-gpu'),
    packages: '@tensorflow/tfjs-node-gpu',
    backend: 'tensorflow',
  },
  node: { load: () => loadNode('@tensorflow/tfjs-node'), packages: '@tensorflow/tfjs-node', backend: 'tensorflow' },
  wasm: { load: loadWasm, packages: '@tensorflow/tfjs and @tensorflow/tfjs-backend-wasm', backend: 'wasm' },
  cpu: { load: loadCpu, packages: 'nothing', backend: 'cpu' },
};

/** Name of a device. */
export type Device = keyof typeof DEVICES;

interface Loaded {
  tf: TensorFlow;
  device: Device;
  /** that of the GPU before TensorFlow started; undefined on other devices, and without nvidia-smi */
  gpuMemory: GpuMemory | undefined;
}

/** Copies of TensorFlow.js share global state, including the current backend, so a process has one device. */
let loaded: Loaded | undefined;

const require = createRequire(import.meta.url);
/** The bundle of TensorFlow.js, which `npm run build` makes. */
const BUNDLE = new URL('../../../dist/tfjs.js', import.meta.url);

/**
 * Loads TensorFlow.js on a device.
 *
 * @param device a key of DEVICES. Default: the first that loads. A device that is installed but does not load is skipped
 *   with a warning on stderr.
 * @throws EngineError if the named device does not load, with the packages it needs, or another device is in use
 */
export async function loadTensorFlow(device?: string): Promise<Loaded> {
  if (device !== undefined && !Object.hasOwn(DEVICES, device))
    throw new EngineError(`the tfjs device is ${device}; it must be one of ${Object.keys(DEVICES).join(', ')}`);
  if (loaded && device !== undefined && device !== loaded.device)
    throw new EngineError(`this process computes on the tfjs device ${loaded.device} already; ${device} needs its own`);
  loaded ??= device === undefined ? await loadFirst() : await load(device as Device);
  return loaded;
}

async function loadFirst(): Promise<Loaded> {
  for (const device of Object.keys(DEVICES) as Device[])
    try {
      return await load(device);
    } catch (error) {
      if (device === 'cpu') throw error;
      if (!isMissing((error as Error).cause)) process.stderr.write(`warning: ${(error as Error).message}\n`);
    }
  throw new EngineError('no TensorFlow.js device loads');
}

async function load(device: Device): Promise<Loaded> {
  const { load, packages, backend } = DEVICES[device];
  const memory = device === 'node-gpu' ? gpuMemory() : undefined;
  let tf: TensorFlow;
  try {
    tf = await load();
    tf.enableProdMode();
    await tf.setBackend(backend);
    await tf.ready();
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const why = isMissing(error) ? `it needs ${packages}` : (error as Error).message;
    throw new EngineError(`the tfjs device ${device} does not load: ${why}`, { cause: error });
  }
  // If the GPU or the library is missing, TensorFlow.js silently continues with a slower backend.
  if (tf.getBackend() !== backend)
    throw new EngineError(
      `the tfjs device ${device} fell back on ${tf.getBackend()}; its backend ${backend} did not start`,
    );
  if (device === 'node-gpu' && !(tf.backend() as unknown as { isUsingGpuDevice: boolean }).isUsingGpuDevice)
    throw new EngineError('the tfjs device node-gpu found no GPU that it can use; it needs CUDA 11.2 and cuDNN 8.1');
  return { tf, device, gpuMemory: memory };
}

function loadNode(name: string): TensorFlow {
  // Node 23 removed functions that tfjs-node still calls.
  const removed = util as unknown as Record<string, (value: unknown) => boolean>;
  removed.isNullOrUndefined ??= (value) => value === null || value === undefined;
  removed.isArray ??= Array.isArray;
  return require(name);
}

/** The backend registers itself with the copy of core inside `@tensorflow/tfjs`, which has the gradients. */
function loadWasm(): TensorFlow {
  const tf = require('@tensorflow/tfjs');
  require('@tensorflow/tfjs-backend-wasm');
  return tf;
}

async function loadCpu(): Promise<TensorFlow> {
  if (!existsSync(BUNDLE))
    throw new EngineError(`${fileURLToPath(BUNDLE)} is missing; \`npm run build\` makes it from @tensorflow/tfjs-core`);
  return import(BUNDLE.href);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'MODULE_NOT_FOUND';
}
