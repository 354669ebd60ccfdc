/** What plans are made for: a precision, and what one GPU runs at the same time. */
import type { EngineOptions } from '../../interface/index.ts';
import type { Device } from '../device/device.ts';

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
}

/** The target of an open GPU. */
export function targetOf(device: Device, precision: Target['precision']): Target {
  const { multiprocessors } = device.properties;
  return {
    precision,
    multiprocessors,
    residentBlocks: (kernel, threads, shared) => device.residentBlocks(kernel, threads, shared),
  };
}
