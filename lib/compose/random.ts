/**
 * Seeded random numbers for the composer: a seed gives the same choices on every machine.
 *
 * The generator is sfc32 (Chris Doty-Humphrey's small fast counting generator), seeded by the FNV-1a hash of the seed's
 * text. The composer uses no transcendental functions, because their last bits differ between machines. It must not be
 * used for cryptography.
 */

/** A stream of random choices. */
export class SeededRandom {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number | string) {
    this.#seed = String(seed);
    this.#a = fnv1a(this.#seed, 0x811c9dc5);
    this.#b = fnv1a(this.#seed, 0x01234567);
    this.#c = fnv1a(this.#seed, 0x89abcdef);
    for (let i = 0; i < 15; i++) this.#next();
  }

  /** Returns an independent stream. Drawing from it does not change the numbers of other streams. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${label}`);
  }

  /** A whole number from 0 to n − 1. The bias is below n / 2³². */
  integer(n: number): number {
    return Math.floor((this.#next() / 0x1_0000_0000) * n);
  }

  /** A number from low to high, inclusive, in steps of `step` from low. */
  between(low: number, high: number, step = 1): number {
    return low + step * this.integer(Math.floor((high - low) / step) + 1);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.#next() < probability * 0x1_0000_0000;
  }

  /** One of the items, all equally likely. */
  choose<T>(items: readonly T[]): T {
    return items[this.integer(items.length)];
  }

  /** One of the items, with probabilities in proportion to the weights. */
  weighted<T>(items: readonly (readonly [item: T, weight: number])[]): T {
    let total = 0;
    for (const [, weight] of items) total += weight;
    let left = (this.#next() / 0x1_0000_0000) * total;
    for (const [item, weight] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return items[items.length - 1][0];
  }

  /** The next output of the generator, 0 … 2³² − 1. */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}

/** The FNV-1a hash of 32 bits, from an offset basis. */
function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
