/**
 * A GPU: memory, and plans of launches. Everything above it is written in terms of slices of memory and named kernels, so
 * that another kind of device can take its place.
 */
import {
  type Addon,
  type AddonLaunch,
  type AddonProduct,
  type Copies,
  type DeviceHandle,
  loadAddon,
  type ProductShape,
  readPtx,
} from './addon.ts';
import { describeFailure, describeOpening, tooLittleMemory, tooOldDriver, tooOldGpu } from './messages.ts';

/** Memory of the device: `size` bytes from `address` on. */
export interface Slice {
  readonly address: number;
  readonly size: number;
}

/** An argument of a kernel: memory (null for none), a whole number, or a float. */
export type Argument = Slice | null | number | { float: number };

/** One launch: a kernel of native/cuda, or a product by cuBLASLt. */
export type Launch = KernelLaunch | ProductLaunch;

/** One launch of a kernel. */
export interface KernelLaunch {
  kernel: string;
  grid: [x: number, y: number, z: number];
  /** threads of a block */
  threads: number;
  /** bytes of shared memory of a block. Default 0 */
  shared?: number;
  arguments: Argument[];
}

/** A product by cuBLASLt. Slices that its shape does not need are null. */
export interface ProductLaunch {
  product: ProductShape;
  A: Slice;
  B: Slice;
  bias: Slice | null;
  addend: Slice | null;
  C: Slice;
  /** memory of `workspaceOf` bytes */
  workspace: Slice | null;
}

/** Launches that follow each other, prepared once and run many times. */
export interface Plan {
  /**
   * Starts the plan, and waits for its end while the event loop keeps running. Another run may be started meanwhile; the
   * device makes runs in the order in which they are started.
   *
   * @param uploads copied to the device before it, as they are at the time of the call
   * @param downloads filled after it
   * @throws EngineError if the device fails
   */
  run(uploads: [Slice, ArrayBufferView][], downloads: [Slice, ArrayBufferView][]): Promise<void>;
  /** Runs the plan and blocks until its end. */
  runNow(uploads: [Slice, ArrayBufferView][], downloads: [Slice, ArrayBufferView][]): void;
  /** Frees the plan, after the runs that were started. */
  dispose(): void;
}

/** The driver's library. The variable CUDA_DRIVER_LIBRARY names another one; the tests use that. */
const LIBRARY = process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1';
const OLDEST_COMPUTE = 80;
/** CUDA 11.1, the first whose driver takes the PTX of the kernels. */
const OLDEST_DRIVER = 11010;

/** An open GPU. */
export class Device {
  readonly #addon: Addon;
  readonly #handle: DeviceHandle;

  private constructor(addon: Addon, handle: DeviceHandle) {
    this.#addon = addon;
    this.#handle = handle;
  }

  /**
   * Opens the first GPU that CUDA_VISIBLE_DEVICES leaves.
   *
   * @throws EngineError that says in one sentence why there is none: the addon is not built, there is no driver or no GPU, or
   *   they are too old
   * @throws StaleAddonError if the addon was built from other sources
   */
  static open(): Device {
    const addon = loadAddon();
    const library = process.env.CUDA_DRIVER_LIBRARY || LIBRARY;
    try {
      const device = new Device(addon, addon.open(library, 0));
      // Before the kernels are compiled, because a driver or GPU that is too old says less.
      device.#checkAge();
      addon.load(device.#handle, readPtx());
      return device;
    } catch (error) {
      throw describeOpening(error as Error & { code?: string }, library);
    }
  }

  get properties() {
    return this.#addon.properties(this.#handle);
  }

  /** Free and total memory of the GPU, in bytes. */
  get memory() {
    return this.#addon.memory(this.#handle);
  }

  /** How many blocks of a kernel this GPU runs at the same time; 0 if a block needs more shared memory than there is. */
  residentBlocks(kernel: string, threads: number, shared: number): number {
    return this.#guard(() => this.#addon.residentBlocks(this.#handle, kernel, threads, shared));
  }

  /**
   * Opens cuBLASLt: the first of the libraries that works with the driver.
   *
   * @param largestWorkspace in bytes, of a product
   * @returns its path and its version, as it counts it: 120804 for 12.8.4
   * @throws Error with a line for each library, if none works
   */
  openProducts(libraries: string[], largestWorkspace: number): { library: string; version: number } {
    return this.#addon.openProducts(this.#handle, libraries, largestWorkspace);
  }

  /** Bytes of workspace that cuBLASLt needs for such a product; undefined if it has no algorithm for it. */
  workspaceOf(shape: ProductShape): number | undefined {
    const bytes = this.#guard(() => this.#addon.workspaceOf(this.#handle, shape));
    return bytes < 0 ? undefined : bytes;
  }

  /**
   * Allocates memory that is filled with zeros.
   *
   * @param purpose names it in the error: "the activations"
   * @throws EngineError if there is not enough
   */
  allocate(bytes: number, purpose: string): Slice {
    try {
      return { address: this.#addon.allocate(this.#handle, bytes), size: bytes };
    } catch (error) {
      if ((error as { code?: string }).code !== 'CUDA_ERROR_OUT_OF_MEMORY') throw describeFailure(error as Error);
      throw tooLittleMemory(purpose, bytes, this.memory, error as Error);
    }
  }

  /** Frees what `allocate` returned. */
  free(slice: Slice): void {
    try {
      this.#addon.free(this.#handle, slice.address);
    } catch {
      // A GPU that was lost frees nothing. The error that says so has been thrown before.
    }
  }

  /** Copies an array to the start of the slice. */
  write(slice: Slice, array: ArrayBufferView): void {
    this.#guard(() => this.#addon.write(this.#handle, slice.address, array));
  }

  /** Fills an array from the start of the slice. */
  read(slice: Slice, array: ArrayBufferView): void {
    this.#guard(() => this.#addon.read(this.#handle, slice.address, array));
  }

  /** Fills an array from the start of the slice, while the event loop keeps running. */
  async readLater(slice: Slice, array: ArrayBufferView): Promise<void> {
    try {
      await this.#addon.readLater(this.#handle, slice.address, array);
    } catch (error) {
      throw describeFailure(error as Error);
    }
  }

  /** Prepares launches. @throws EngineError if the device refuses one of them */
  plan(launches: Launch[]): Plan {
    const [addon, handle] = [this.#addon, this.#handle];
    const plan = this.#guard(() => addon.plan(handle, launches.map(forAddon)));
    return {
      run: async (uploads, downloads) => {
        try {
          await addon.run(handle, plan, flatten(uploads), flatten(downloads));
        } catch (error) {
          throw describeFailure(error as Error);
        }
      },
      runNow: (uploads, downloads) =>
        this.#guard(() => addon.runNow(handle, plan, flatten(uploads), flatten(downloads))),
      dispose: () => addon.closePlan(plan),
    };
  }

  /** Closes the GPU. Memory that is still allocated goes with the process. */
  close(): void {
    this.#addon.closeDevice(this.#handle);
  }

  #guard<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw describeFailure(error as Error);
    }
  }

  #checkAge(): void {
    const { name, compute, driver } = this.properties;
    if (driver < OLDEST_DRIVER) throw tooOldDriver(driver);
    if (compute < OLDEST_COMPUTE) throw tooOldGpu(name, compute);
  }
}

const flatten = (pairs: [Slice, ArrayBufferView][]): Copies =>
  pairs.flatMap(([slice, array]) => [slice.address, array]);

function forAddon(launch: Launch): AddonLaunch | AddonProduct {
  if ('product' in launch) {
    const { product, A, B, bias, addend, C, workspace } = launch;
    const at = (slice: Slice | null) => slice?.address ?? 0;
    return { product, pointers: [at(A), at(B), at(bias), at(addend), at(C), at(workspace)] };
  }
  const { kernel, grid, threads, shared = 0, arguments: list } = launch;
  const values = list.map((each) => {
    if (each === null) return 0;
    if (typeof each === 'number') return each;
    return 'float' in each ? each.float : each.address;
  });
  const kinds = list.map((each) => (each !== null && typeof each === 'object' && 'float' in each ? 'f' : 'i')).join('');
  return { kernel, grid, threads, shared, kinds, values };
}
