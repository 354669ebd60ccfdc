/** The cpus, memory and GPUs of this machine. */
import { availableParallelism, totalmem } from 'node:os';
import { callProgram } from '../programs/index.ts';

/** The resources of a machine. */
export interface Machine {
  cpus: number;
  /** Bytes. */
  memory: number;
  /** Ids in the form that CUDA_VISIBLE_DEVICES takes. */
  gpus: string[];
}

/**
 * This machine; inside a job of Slurm, what the job has of it. Its GPUs are those in REPRO_GPUS, else those in
 * CUDA_VISIBLE_DEVICES, else those of the job, else those that nvidia-smi lists.
 *
 * @param wantsGpus false: GPUs are not looked for, because nvidia-smi is slow and no stage wants one
 */
export async function thisMachine(wantsGpus: boolean): Promise<Machine> {
  const job = slurmJob(process.env);
  const cpus = Math.min(availableParallelism(), job?.cpus ?? Number.POSITIVE_INFINITY);
  const memory = Math.min(usableMemory(), job?.memory ?? Number.POSITIVE_INFINITY);
  return { cpus, memory, gpus: wantsGpus ? await gpuIds(job) : [] };
}

/** Bytes of this machine's memory, or of its container's limit. */
function usableMemory(): number {
  // Without a limit, constrainedMemory returns 0, or a number larger than any memory.
  return Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY);
}

/**
 * The part of its node that a job of Slurm may use. A cluster need not enforce it, so the operating system may report
 * more.
 */
interface SlurmJob {
  cpus?: number;
  /** Bytes. */
  memory?: number;
  gpus: string[];
}

/**
 * The job that this process is in; undefined outside of one, and in a shell of salloc on a login node, which has the
 * variables of the job but is not on its node.
 *
 * @see sbatch(1), "Output environment variables"; memory is in MiB, and 0 stands for all of the node's
 */
function slurmJob(env: NodeJS.ProcessEnv): SlurmJob | undefined {
  if (env.SLURM_JOB_ID === undefined || env.SLURMD_NODENAME === undefined) return undefined;
  const cpus = Number(env.SLURM_CPUS_ON_NODE) || undefined;
  const mebibytes = Number(env.SLURM_MEM_PER_NODE) || Number(env.SLURM_MEM_PER_CPU) * (cpus ?? 1) || undefined;
  const gpus = listed(env.SLURM_STEP_GPUS ?? env.SLURM_JOB_GPUS ?? '');
  return { cpus, memory: mebibytes === undefined ? undefined : mebibytes * 2 ** 20, gpus };
}

/** @example listed('0, 1,-1') // ['0', '1'] */
function listed(ids: string): string[] {
  return [...new Set(ids.split(',').map((id) => id.trim()))].filter((id) => id !== '' && id !== '-1');
}

async function gpuIds(job: SlurmJob | undefined): Promise<string[]> {
  const named = process.env.REPRO_GPUS ?? process.env.CUDA_VISIBLE_DEVICES;
  if (named !== undefined) return listed(named);
  if (job !== undefined) return job.gpus;
  const query = ['--query-gpu=index', '--format=csv,noheader'];
  const { stdout, exitCode } = await callProgram('nvidia-smi', query, { timeout: 10_000 });
  return exitCode !== 0
    ? []
    : stdout
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => /^\d+$/.test(line));
}
