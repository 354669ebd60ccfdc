/** The cpus, memory and GPUs of this machine. */
import { availableParallelism, totalmem } from 'node:os';

/** The resources of a machine. */
export interface Machine {
  cpus: number;
  /** Bytes. */
  memory: number;
  /** Ids in the form that CUDA_VISIBLE_DEVICES takes. */
  gpus: string[];
}

/**
 * This machine. Its GPUs are those in REPRO_GPUS, else those in CUDA_VISIBLE_DEVICES, else those that nvidia-smi lists.
 *
 * @param wantsGpus false: GPUs are not looked for, because nvidia-smi is slow and no stage wants one
 */
export async function thisMachine(wantsGpus: boolean): Promise<Machine> {
  return { cpus: availableParallelism(), memory: usableMemory(), gpus: wantsGpus ? await gpuIds() : [] };
}

/** Bytes of this machine's memory, or of its container's limit. */
function usableMemory(): number {
  // Without a limit, constrainedMemory returns 0, or a number larger than any memory.
  return Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY);
}

async function gpuIds(): Promise<string[]> {
  const named = process.env.REPRO_GPUS ?? process.env.CUDA_VISIBLE_DEVICES;
  if (named !== undefined)
    return [...new Set(named.split(',').map((id) => id.trim()))].filter((id) => id !== '' && id !== '-1');
  const { execa } = await import('execa');
  const { stdout, failed } = await execa('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], {
    reject: false,
    timeout: 10_000,
  });
  return failed
    ? []
    : stdout
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => /^\d+$/.test(line));
}
