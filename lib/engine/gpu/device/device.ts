/**
 * A GPU: memory, and plans of launches. Everything above it is written in terms of slices of memory and named kernels, so
 * that another kind of device can take its place.
 */
import { EngineError } from '../../interface/index.ts';
import { type Addon, type AddonLaunch, type Copies, type DeviceHandle, loadAddon, readPtx } from './addon.ts';

/** Memory of the device: `size` bytes from `address` on. */
export interface Slice {
  readonly address: number;
  readonly size: number;
}

/** An argument of a kernel: memory (null for none), a whole number, or a float. */
export type Argument = Slice | null | number | { float: number };

/** One launch of a kernel. */
export interface Launch {
  kernel: string;
  grid: [x: number, y: number, z: number];
  /** of a block */
  threads: number;
  /** bytes of shared memory of a block. Default 0 */
  shared?: number;
  arguments: Argument[];
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
  /** The same, and waits for it. */
  runNow(uploads: [Slice, ArrayBufferView][], downloads: [Slice, ArrayBufferView][]): void;
  /** Frees the plan, after the runs that were started. */
  dispose(): void;
}

/** The driver's library. The variable CUDA_DRIVER_LIBRARY names another one; the tests use that. */
const LIBRARY = process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1';
const OLDEST_COMPUTE = 80;
/** CUDA 11.1, the first whose driver takes the PTX of the kernels. */
const OLDEST_DRIVER = 11010;
/** The driver on Linux that came with it. */
const OLDEST_PACKAGE = '455.23';

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
   * Allocates memory. It is zeros.
   *
   * @param purpose names it in the error: "the activations"
   * @throws EngineError if there is not enough
   */
  allocate(bytes: number, purpose: string): Slice {
    try {
      return { address: this.#addon.allocate(this.#handle, bytes), size: bytes };
    } catch (error) {
      if ((error as { code?: string }).code !== 'CUDA_ERROR_OUT_OF_MEMORY') throw describeFailure(error as Error);
      const { free, total } = this.memory;
      throw new EngineError(
        `the GPU has too little memory for ${purpose}: they need ${megabytes(bytes)}, and ${megabytes(free)} of its ${megabytes(total)} are free; ` +
          'set a smaller microbatch or model, or end what else runs on this GPU',
        { cause: error },
      );
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

  /** The same, while the event loop keeps running. */
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
    if (driver < OLDEST_DRIVER)
      throw new EngineError(
        `the NVIDIA driver is too old: it supports CUDA ${version(driver)}, and the gpu engine needs CUDA ${version(OLDEST_DRIVER)} or newer, which is driver ${OLDEST_PACKAGE} or newer`,
      );
    if (compute < OLDEST_COMPUTE)
      throw new EngineError(
        `the GPU ${name} has compute capability ${(compute / 10).toFixed(1)}, and the gpu engine needs 8.0 or newer, which has bf16: RTX 30, A100 and later`,
      );
  }
}

const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
/** 12040 → "12.4" */
const version = (number: number) => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

const flatten = (pairs: [Slice, ArrayBufferView][]): Copies =>
  pairs.flatMap(([slice, array]) => [slice.address, array]);

function forAddon({ kernel, grid, threads, shared = 0, arguments: list }: Launch): AddonLaunch {
  const values = list.map((each) => {
    if (each === null) return 0;
    if (typeof each === 'number') return each;
    return 'float' in each ? each.float : each.address;
  });
  const kinds = list.map((each) => (each !== null && typeof each === 'object' && 'float' in each ? 'f' : 'i')).join('');
  return { kernel, grid, threads, shared, kinds, values };
}

function describeOpening(error: Error & { code?: string }, library: string): Error {
  switch (error.code) {
    case undefined:
      return error;
    case 'NO_DRIVER':
      return new EngineError(`there is no NVIDIA driver (${library} was not found)`, { cause: error });
    case 'OLD_DRIVER':
      return new EngineError(
        `the NVIDIA driver is too old: ${error.message}, and the gpu engine needs CUDA ${version(OLDEST_DRIVER)} or newer, which is driver ${OLDEST_PACKAGE} or newer`,
        { cause: error },
      );
    case 'CUDA_ERROR_DEVICE_UNAVAILABLE':
      return new EngineError(
        'the GPU is in use by another program, and its compute mode allows one at a time; end that program, or choose another GPU with CUDA_VISIBLE_DEVICES',
        { cause: error },
      );
    case 'CUDA_ERROR_SYSTEM_NOT_READY':
      return new EngineError(
        `the GPU cannot be opened: ${error.message}; on machines with NVSwitch, the service nvidia-fabricmanager must run`,
        { cause: error },
      );
    case 'NO_GPU':
    case 'CUDA_ERROR_NO_DEVICE': {
      const visible = process.env.CUDA_VISIBLE_DEVICES;
      const message =
        visible === ''
          ? 'no GPU was leased (CUDA_VISIBLE_DEVICES is empty); in params.yaml, train.gpus: 1 leases one for each run'
          : `the NVIDIA driver shows no GPU${visible === undefined ? '' : `, with CUDA_VISIBLE_DEVICES=${visible}`}`;
      return new EngineError(message, { cause: error });
    }
    case 'CUDA_ERROR_UNSUPPORTED_PTX_VERSION':
    case 'CUDA_ERROR_NO_BINARY_FOR_GPU':
    case 'CUDA_ERROR_INVALID_PTX':
      return new EngineError(
        `the NVIDIA driver cannot compile the kernels for this GPU; it must support CUDA 11.1 or newer, and the GPU compute capability 8.0 or newer (${error.message})`,
        { cause: error },
      );
    default:
      return new EngineError(`the GPU cannot be opened: ${error.message}`, { cause: error });
  }
}

/** After most errors, CUDA refuses every further call of the process. */
function describeFailure(error: Error): EngineError {
  return new EngineError(
    `the GPU failed: ${error.message}; run the same command again, and it continues from the last checkpoint, if one was written`,
    { cause: error },
  );
}
