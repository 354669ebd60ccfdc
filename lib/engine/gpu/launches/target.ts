/** The target of plans: a precision, the limits of one GPU, and whether cuBLASLt or our kernels multiply. */
import type { EngineOptions } from '../../interface/index.ts';
import type { Cublas } from '../device/cublas.ts';
import type { Device } from '../device/device.ts';
import { cublasIsFaster, type ProductCost } from './product-choice.ts';

/** Everything on which the choice of kernels and grids depends. */
export interface Target {
  readonly precision: NonNullable<EngineOptions['precision']>;
  readonly multiprocessors: number;
  /**
   * How many blocks of a kernel the GPU runs at the same time. 0 if a block needs too much shared memory.
   *
   * @param shared bytes of shared memory of a block
   */
  residentBlocks(kernel: string, threads: number, shared: number): number;
  /** undefined: our kernels make all products */
  readonly cublas?: {
    /** Whether cuBLASLt should make a product: see product-choice.ts. */
    isFaster(flops: number, own: ProductCost, cublas: ProductCost): boolean;
    workspaceOf: Cublas['workspaceOf'];
  };
}

/**
 * The target of an open GPU.
 *
 * @param cublas undefined if it is not installed, or not wanted
 * @param always whether it makes every product that it can, rather than only those for which it is expected to be faster
 */
export function targetOf(
  device: Device,
  precision: Target['precision'],
  cublas: Cublas | undefined,
  always: boolean,
): Target {
  const { multiprocessors, compute } = device.properties;
  const isFaster = (flops: number, own: ProductCost, theirs: ProductCost) =>
    always || cublasIsFaster({ compute, multiprocessors }, flops, own, theirs);
  return {
    precision,
    multiprocessors,
    residentBlocks: (kernel, threads, shared) => device.residentBlocks(kernel, threads, shared),
    ...(cublas && { cublas: { isFaster, workspaceOf: (shape) => cublas.workspaceOf(shape) } }),
  };
}
