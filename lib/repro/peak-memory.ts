/** The most memory that each process group held, as sampled from /proc; on other systems nothing is known. */
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds between samples. */
const PERIOD = 500;
/** Linux counts resident memory in pages of this size on nearly every machine that runs Node. */
const PAGE = 4096;

export class PeakMemory {
  readonly #peaks = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  watch(group: number): void {
    if (process.platform !== 'linux') return;
    this.#peaks.set(group, 0);
    this.#timer ??= setInterval(() => this.#sample(), PERIOD).unref();
  }

  /** bytes; undefined when it ended before the first sample. */
  end(group: number): number | undefined {
    const peak = this.#peaks.get(group);
    this.#peaks.delete(group);
    if (this.#peaks.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return peak || undefined;
  }

  #sample(): void {
    const sums = new Map<number, number>();
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      let stat: string;
      try {
        stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      } catch {
        continue; // It has just ended.
      }
      // After the name in parentheses: state, parent, process group, …; the 22nd of these is the resident size.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const group = Number(fields[2]);
      if (this.#peaks.has(group)) sums.set(group, (sums.get(group) ?? 0) + Number(fields[21]) * PAGE);
    }
    for (const [group, bytes] of sums) this.#peaks.set(group, Math.max(bytes, this.#peaks.get(group)!));
  }
}
