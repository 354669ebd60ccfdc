/**
 * The memory of the GPU on which TensorFlow computes. TensorFlow.js does not report it, so nvidia-smi is called before
 * TensorFlow starts and takes nearly all free memory.
 */
import { spawnSync } from 'node:child_process';

/** In bytes. */
export interface GpuMemory {
  total: number;
  free: number;
}

/**
 * Memory of the first GPU that CUDA_VISIBLE_DEVICES leaves, which is the one that TensorFlow takes.
 *
 * @returns undefined if there is no nvidia-smi, or it does not know the GPU
 */
export function gpuMemory(): GpuMemory | undefined {
  const [first = ''] = (process.env.CUDA_VISIBLE_DEVICES ?? '').split(',');
  const args = ['--query-gpu=memory.total,memory.free', '--format=csv,noheader,nounits'];
  const { status, stdout } = spawnSync('nvidia-smi', first.trim() ? [`--id=${first.trim()}`, ...args] : args, {
    encoding: 'utf8',
    timeout: 10_000,
  });
  const figures = /^\s*(\d+)\s*,\s*(\d+)\s*$/m.exec(stdout ?? '');
  if (status !== 0 || !figures) return undefined;
  const [total, free] = [figures[1], figures[2]].map((mebibytes) => Number(mebibytes) * 2 ** 20);
  return { total, free };
}
