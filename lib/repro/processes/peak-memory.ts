/** Measures the peak memory of running commands by sampling the process table. */
import { memoryOfGroups } from './process-table.ts';

/** Milliseconds between samples. */
const PERIOD = 500;

/** A command. `group` is undefined while it has no process group. */
interface Watched {
  readonly group: number | undefined;
}

/** Samples the memory of all commands between their `watch` and `end`. */
export class PeakMemory {
  readonly #peaks = new Map<Watched, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Starts to sample a command. */
  watch(command: Watched): void {
    this.#peaks.set(command, 0);
    this.#timer ??= setInterval(() => void this.#sample(), PERIOD).unref();
  }

  /** Stops sampling it. Returns its peak in bytes; 0 if it ended before the first sample. */
  end(command: Watched): number {
    const peak = this.#peaks.get(command) ?? 0;
    this.#peaks.delete(command);
    if (this.#peaks.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return peak;
  }

  async #sample(): Promise<void> {
    const memory = await memoryOfGroups();
    // Commands that ended meanwhile are not in the map any more.
    for (const [command, peak] of this.#peaks)
      this.#peaks.set(command, Math.max(peak, memory.get(command.group ?? 0) ?? 0));
  }
}
