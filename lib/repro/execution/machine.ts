/** What this machine has for stages to run on. */
import { availableParallelism, totalmem } from 'node:os';

export interface Machine {
  cpus: number;
  /** bytes */
  memory: number;
  /** Ids as CUDA_VISIBLE_DEVICES takes them. */
  gpus: string[];
}

/** GPUs from REPRO_GPUS, else CUDA_VISIBLE_DEVICES, else nvidia-smi, which is only asked when a stage wants one. */
export async function thisMachine(wantsGpus: boolean): Promise<Machine> {
  return { cpus: availableParallelism(), memory: totalmem(), gpus: wantsGpus ? await gpuIds() : [] };
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
