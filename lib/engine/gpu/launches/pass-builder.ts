/**
 * Collects the launches of a plan and lays out the memory that they need. A plan is built twice: first from address 0, to
 * learn how much memory it needs, then in that memory.
 */
import type { Argument, KernelLaunch, Launch, Slice } from '../device/device.ts';
import type { Target } from './target.ts';

/** A matrix on the device, row-major, in fp32, in bf16, or both. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** fp32, without padding; null if it is not wanted */
  readonly floats: Slice | null;
  /** bf16, with rows of `stride` numbers; null if it is not wanted */
  readonly half: Slice | null;
  /** row stride in bf16: the columns, padded to a multiple of 8, so that rows are aligned to 16 bytes */
  readonly stride: number;
}

/**
 * How a matrix is used. floats: not in products. operand: only as a factor of products, in the precision of the engine.
 * both: in products and elsewhere.
 */
export type Purpose = 'floats' | 'operand' | 'both';

/** Alignment of the driver's allocations, in bytes. */
const ALIGNMENT = 256;
export const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
export const paddedColumns = (columns: number) => Math.ceil(columns / 8) * 8;

/** The part of a slice that begins `bytes` after its start. */
export const after = (slice: Slice, bytes: number): Slice => ({
  address: slice.address + bytes,
  size: slice.size - bytes,
});
export const afterFloats = (slice: Slice, count: number) => after(slice, 4 * count);

/** Rows `first` … of a matrix. */
export function rowsOf(matrix: Matrix, first: number, rows: number): Matrix {
  return {
    ...matrix,
    rows,
    floats: matrix.floats && afterFloats(matrix.floats, first * matrix.columns),
    half: matrix.half && after(matrix.half, 2 * first * matrix.stride),
  };
}

/** The launches and the memory of one plan. */
export class PassBuilder {
  readonly launches: Launch[] = [];
  readonly target: Target;
  readonly #base: number;
  readonly #scratch: number;
  #used = 0;
  #peak = 0;
  #scratchSize = 0;

  /**
   * @param base address of the plan's memory
   * @param scratch offset of the scratch memory: `layoutSize` of an earlier build
   */
  constructor(target: Target, base = 0, scratch = 0) {
    this.target = target;
    this.#base = base;
    this.#scratch = scratch;
  }

  /** Whether products are in bf16. */
  get bf16(): boolean {
    return this.target.precision === 'bf16';
  }

  /** Bytes of the plan's memory without its scratch memory. */
  get layoutSize(): number {
    return this.#peak;
  }

  /** Bytes of the plan's memory, with its scratch memory. */
  get size(): number {
    return this.#peak + this.#scratchSize;
  }

  allocate(bytes: number): Slice {
    const slice = { address: this.#base + this.#used, size: bytes };
    this.#used += aligned(bytes);
    this.#peak = Math.max(this.#peak, this.#used);
    return slice;
  }

  floats(count: number): Slice {
    return this.allocate(4 * count);
  }

  matrix(rows: number, columns: number, purpose: Purpose): Matrix {
    const stride = paddedColumns(columns);
    return {
      rows,
      columns,
      stride,
      floats: this.bf16 && purpose === 'operand' ? null : this.floats(rows * columns),
      half: this.bf16 && purpose !== 'floats' ? this.allocate(2 * rows * stride) : null,
    };
  }

  /** Memory for the next few launches only: all users share the same place. Two in use at the same time would overlap. */
  scratch(count: number): Slice {
    this.#scratchSize = Math.max(this.#scratchSize, aligned(4 * count));
    return { address: this.#base + this.#scratch, size: 4 * count };
  }

  /** Frees what `build` allocates when it returns. */
  within<T>(build: () => T): T {
    const before = this.#used;
    const result = build();
    this.#used = before;
    return result;
  }

  launch(kernel: string, grid: KernelLaunch['grid'], threads: number, list: Argument[], shared = 0): void {
    this.launches.push({ kernel, grid, threads, shared, arguments: list });
  }

  /** A launch with a thread for each of n elements. */
  forElements(kernel: string, n: number, list: Argument[]): void {
    this.launch(kernel, [Math.ceil(n / 256), 1, 1], 256, list);
  }
}
