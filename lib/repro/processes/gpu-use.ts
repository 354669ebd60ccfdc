/**
 * Measures how attempts use the GPUs that they have leased. One nvidia-smi runs as long as there is such an attempt,
 * and reports figures every second. Without nvidia-smi nothing is measured.
 *
 *     const use = new GpuUse();
 *     const watched = use.watch(['0']); // starts nvidia-smi
 *     use.end(watched);                 // { model: 'NVIDIA H200', peakMemory: 9e9, utilization: 87 }
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** How an attempt used its GPUs. */
export interface GpuFigures {
  /** The model of its GPUs; several are joined by " + ". */
  model: string;
  /** The most memory that was in use on all of them together, in bytes. */
  peakMemory: number;
  /** Percent of the time during which a kernel ran, as a mean over samples and GPUs. */
  utilization: number;
}

/** An attempt that is measured. */
export interface GpuWatch {
  readonly gpus: readonly string[];
  /** The last figures of each GPU, by its index. */
  readonly last: Map<string, { model: string; memory: number }>;
  peakMemory: number;
  /** Sum of percents, and number of samples. */
  sum: number;
  count: number;
}

const QUERY = ['--query-gpu=index,uuid,name,utilization.gpu,memory.used', '--format=csv,noheader,nounits'];
/** Milliseconds between samples. */
const PERIOD = 1000;

/** Samples the GPUs of all attempts between their `watch` and `end`. */
export class GpuUse {
  readonly #watches = new Set<GpuWatch>();
  #program: ChildProcess | undefined;
  /** nvidia-smi is missing or has failed. */
  #isUnknown = false;

  /** @param gpus ids in the form that CUDA_VISIBLE_DEVICES takes; of MIG instances nothing is known */
  watch(gpus: readonly string[]): GpuWatch {
    const watch: GpuWatch = { gpus, last: new Map(), peakMemory: 0, sum: 0, count: 0 };
    if (gpus.length > 0) this.#watches.add(watch);
    if (this.#watches.size > 0) this.#start();
    return watch;
  }

  /** Stops sampling; may be called again. @returns undefined if nothing is known */
  end(watch: GpuWatch): GpuFigures | undefined {
    this.#watches.delete(watch);
    if (this.#watches.size === 0) this.#stop();
    if (watch.count === 0) return undefined;
    const model = [...new Set([...watch.last.values()].map((each) => each.model))].join(' + ');
    return { model, peakMemory: watch.peakMemory, utilization: watch.sum / watch.count };
  }

  #start(): void {
    if (this.#program !== undefined || this.#isUnknown) return;
    // If repro is killed, nvidia-smi ends at its next sample, because nobody reads it.
    const program = spawn('nvidia-smi', [...QUERY, `--loop-ms=${PERIOD}`], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#program = program;
    const fail = () => {
      if (this.#program === program) this.#isUnknown = true;
    };
    program.on('error', fail);
    program.on('exit', fail);
    program.unref();
    (program.stdout as unknown as { unref?(): void }).unref?.();
    createInterface({ input: program.stdout }).on('line', (line) => this.#take(line));
  }

  #stop(): void {
    const program = this.#program;
    this.#program = undefined;
    program?.kill();
  }

  /** @param line such as "0, GPU-5f…, NVIDIA H200, 87, 9000"; memory in MiB */
  #take(line: string): void {
    const [index, uuid, model, percent, mebibytes] = line.split(',').map((cell) => cell.trim());
    const [utilization, memory] = [Number(percent), Number(mebibytes) * 2 ** 20];
    if (model === undefined || !Number.isFinite(memory)) return;
    for (const watch of this.#watches) {
      if (!watch.gpus.some((id) => id === index || (id.startsWith('GPU-') && uuid.startsWith(id)))) continue;
      watch.last.set(index, { model, memory });
      const inUse = [...watch.last.values()].reduce((sum, each) => sum + each.memory, 0);
      watch.peakMemory = Math.max(watch.peakMemory, inUse);
      // Some GPUs do not report it: "[N/A]".
      if (Number.isFinite(utilization)) watch.sum += utilization;
      watch.count++;
    }
  }
}
