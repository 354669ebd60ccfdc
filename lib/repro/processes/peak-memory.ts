/** The most memory that each running command held, as sampled from /proc; on other systems nothing is known. */
import { memoryOfGroups } from './process-table.ts';

/** Milliseconds between samples. */
const PERIOD = 500;

/** What is watched: its process group, while it has one. */
interface Watched {
  readonly group: number | undefined;
}

export class PeakMemory {
  readonly #peaks = new Map<Watched, number>();
  #timer: NodeJS.Timeout | undefined;

  watch(command: Watched): void {
    this.#peaks.set(command, 0);
    this.#timer ??= setInterval(() => this.#sample(), PERIOD).unref();
  }

  /** bytes; 0 when it ended before the first sample. */
  end(command: Watched): number {
    const peak = this.#peaks.get(command) ?? 0;
    this.#peaks.delete(command);
    if (this.#peaks.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return peak;
  }

  #sample(): void {
    const memory = memoryOfGroups();
    for (const [command, peak] of this.#peaks)
      this.#peaks.set(command, Math.max(peak, memory.get(command.group ?? 0) ?? 0));
  }
}
