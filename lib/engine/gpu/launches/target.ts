/** What plans are made for: a precision, what one GPU runs at the same time, and who multiplies. */
import type { EngineOptions } from '../../interface/index.ts';
import type { Cublas } from '../device/cublas.ts';
import type { Device } from '../device/device.ts';
import { cublasIsFaster, type ProductCost } from './product-choice.ts';

/** The choice of kernels and of their grids depends on it. */
export interface Target {
  readonly precision: NonNullable<EngineOptions['precision']>;
  readonly multiprocessors: number;
  /**
   * How many blocks of a kernel the GPU runs at the same time. 0 if a block needs too much shared memory.
   *
   * @param shared bytes of shared memory of a block
   */
  residentBlocks(kernel: string, threads: number, shared: number): number;
  /** undefined: all products are made by the kernels of ours */
  readonly cublas?: {
    /** Whether it should make a product: see product-choice.ts. */
    isFaster(flops: number, own: ProductCost, cublas: ProductCost): boolean;
    workspaceOf: Cublas['workspaceOf'];
  };
}

/**
 * The target of an open GPU.
 *
 * @param cublas undefined if it is not there, or not wanted
 * @param always whether it makes every product that it can make, rather than those that it makes sooner
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
