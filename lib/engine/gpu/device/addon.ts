/**
 * The TypeScript interface of the addon of native/cuda: functions on handles, addresses and typed arrays. It does not check
 * its arguments. device.ts is built on it.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireFresh } from '../../../../native/built.mjs';
import { EngineError } from '../../interface/index.ts';

declare const handle: unique symbol;
/** An open GPU inside the addon. */
export type DeviceHandle = { [handle]: 'device' };
/** A plan inside the addon. */
export type PlanHandle = { [handle]: 'plan' };

/** A launch of a kernel as the addon takes it. `kinds` has a letter for each value: f is a float, i anything else. */
export interface AddonLaunch {
  kernel: string;
  grid: [x: number, y: number, z: number];
  threads: number;
  /** bytes of shared memory */
  shared: number;
  kinds: string;
  values: number[];
}

/**
 * The shape of a product that cuBLASLt makes: C (M,N) = A·B (NN), A·Bᵀ (NT) or Aᵀ·B (TN), row-major, from bf16, summed in
 * fp32.
 */
export interface ProductShape {
  layout: 'NN' | 'NT' | 'TN';
  M: number;
  N: number;
  K: number;
  /** numbers from row to row; in bf16 a multiple of 8 */
  lda: number;
  ldb: number;
  ldc: number;
  /** whether C is bf16, rather than fp32 */
  rounded: boolean;
  /** whether an fp32 vector (N) is added to each row */
  bias: boolean;
  /** the matrix that is added: none; the old C ('in place'); or another matrix with the type and stride of C ('apart') */
  addend: 'none' | 'in place' | 'apart';
}

/** A product as the addon takes it. Pointers that its shape does not have are 0. */
export interface AddonProduct {
  product: ProductShape;
  pointers: [A: number, B: number, bias: number, addend: number, C: number, workspace: number];
}

/** Copies before or after a plan: addresses of the device, each followed by an array. */
export type Copies = (number | ArrayBufferView)[];

/** The name, identity and limits of a GPU. */
export interface DeviceProperties {
  name: string;
  uuid: string;
  /** compute capability times 10: 80 for an A100 */
  compute: number;
  multiprocessors: number;
  /** the newest CUDA version that the driver supports, as CUDA counts it: 12040 for 12.4 */
  driver: number;
  /** the largest shared memory of a block, in bytes */
  sharedMemory: number;
}

/** The functions of the addon. Errors of the driver have a `code`, such as CUDA_ERROR_OUT_OF_MEMORY. */
export interface Addon {
  /**
   * Opens a GPU.
   *
   * @param library the driver
   * @param ordinal among the GPUs that CUDA_VISIBLE_DEVICES leaves
   */
  open(library: string, ordinal: number): DeviceHandle;
  /** Compiles the kernels for the GPU. */
  load(device: DeviceHandle, ptx: string): void;
  properties(device: DeviceHandle): DeviceProperties;
  /** @returns bytes */
  memory(device: DeviceHandle): { free: number; total: number };
  /** How many blocks of a kernel the GPU runs at the same time; 0 if a block needs more shared memory than there is. */
  residentBlocks(device: DeviceHandle, kernel: string, threads: number, shared: number): number;
  /** @returns the address of `bytes` bytes of new memory, which are zeros */
  allocate(device: DeviceHandle, bytes: number): number;
  free(device: DeviceHandle, address: number): void;
  write(device: DeviceHandle, address: number, array: ArrayBufferView): void;
  read(device: DeviceHandle, address: number, array: ArrayBufferView): void;
  /** Reads on a thread of libuv. The promise resolves when the array is filled. */
  readLater(device: DeviceHandle, address: number, array: ArrayBufferView): Promise<void>;
  /**
   * Opens cuBLASLt: the first of the libraries that works with the driver. Errors have the code NO_CUBLAS.
   *
   * @param largestWorkspace in bytes, of a product
   */
  openProducts(
    device: DeviceHandle,
    libraries: string[],
    largestWorkspace: number,
  ): { library: string; version: number };
  /** @returns bytes of workspace that such a product needs; −1 if cuBLASLt has no algorithm for it */
  workspaceOf(device: DeviceHandle, shape: ProductShape): number;
  plan(device: DeviceHandle, launches: (AddonLaunch | AddonProduct)[]): PlanHandle;
  /** Copies `uploads` and starts the plan at the call. The promise resolves when the arrays of `downloads` are filled. */
  run(device: DeviceHandle, plan: PlanHandle, uploads: Copies, downloads: Copies): Promise<void>;
  /** Runs a plan and waits for its end. */
  runNow(device: DeviceHandle, plan: PlanHandle, uploads: Copies, downloads: Copies): void;
  closeDevice(device: DeviceHandle): void;
  closePlan(plan: PlanHandle): void;
}

const FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../../../../native/cuda');

/**
 * Loads the compiled addon of native/cuda. It needs no GPU and no driver.
 *
 * @throws EngineError if the addon is not built
 * @throws StaleAddonError if it was built from other sources than those beside it
 */
export function loadAddon(): Addon {
  requireFresh('cuda');
  try {
    return createRequire(import.meta.url)('node-gyp-build')(FOLDER) as Addon;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new EngineError(
      `the gpu engine is not built (${reason}); install a C++ compiler, make and Python 3, then run \`npm run build\``,
    );
  }
}

/** The kernels, compiled for any GPU of compute capability 8.0 or newer. */
export const readPtx = (): string => readFileSync(resolve(FOLDER, 'ptx/kernels.ptx'), 'utf8');
