/**
 * Sums over the partial results of blocks. Gradients of weights and biases need them, because their rows are divided among
 * blocks. One launch does several sums, because the sums of a small model take less time than a launch.
 */
import type { Argument, Slice } from '../device/device.ts';
import type { PassBuilder } from './pass-builder.ts';

/** Number of sums that a launch of the kernel sumPartials does. */
const SUMS_OF_LAUNCH = 6;
const THREADS = 256;

/** out (n) = Σ over parts of partials (parts,n), or += if `accumulate`. */
interface Sum {
  n: number;
  parts: number;
  partials: Slice;
  out: Slice;
  accumulate: boolean;
}

/** Sums that have not been launched yet. Created by `summing`. */
export class Sums {
  readonly builder: PassBuilder;
  #waiting: Sum[] = [];

  constructor(builder: PassBuilder) {
    this.builder = builder;
  }

  /** Adds a sum. Its partials must stay until the block of `summing` ends. */
  add(sum: Sum): void {
    // A second sum with the same result must see the first.
    this.launchInto(sum.out);
    this.#waiting.push(sum);
    if (this.#waiting.length === SUMS_OF_LAUNCH) this.launch();
  }

  /** Launches the sums that wait, if one of them has this result. */
  launchInto(out: Slice): void {
    if (this.#waiting.some((sum) => sum.out.address === out.address)) this.launch();
  }

  /** Launches the sums that wait. */
  launch(): void {
    if (this.#waiting.length === 0) return;
    const list: Argument[] = [];
    let blocks = 0;
    for (let i = 0; i < SUMS_OF_LAUNCH; i++) {
      const sum = this.#waiting[i];
      blocks += Math.ceil((sum?.n ?? 0) / THREADS);
      if (sum) list.push(sum.n, sum.parts, sum.partials, sum.out, Number(sum.accumulate));
      else list.push(0, 0, null, null, 0);
    }
    this.builder.launch('sumPartials', [blocks, 1, 1], THREADS, list);
    this.#waiting = [];
  }
}

/** Runs `build`, and launches the sums that it added. Partial results that it allocates are freed after them. */
export function summing(b: PassBuilder, build: (sums: Sums) => void): void {
  b.within(() => {
    const sums = new Sums(b);
    build(sums);
    sums.launch();
  });
}
