/**
 * The composer's stream of choices: the same seed gives the same choices on every machine.
 *
 * sfc32 (Chris Doty-Humphrey's small fast counting generator) over 32-bit integers, seeded by FNV-1a of the seed's text; no
 * transcendental function is used anywhere in composing, since their last bits differ between machines. Not for secrets.
 */

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

  /** A stream of its own under this seed: what is drawn from it moves nothing that is drawn elsewhere. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${label}`);
  }

  /** 0 … n − 1. The bias of the product is under n / 2³². */
  integer(n: number): number {
    return Math.floor((this.#next() / 0x1_0000_0000) * n);
  }

  /** low … high, both included, in multiples of `step` above low. */
  between(low: number, high: number, step = 1): number {
    return low + step * this.integer(Math.floor((high - low) / step) + 1);
  }

  chance(probability: number): boolean {
    return this.#next() < probability * 0x1_0000_0000;
  }

  choose<T>(items: readonly T[]): T {
    return items[this.integer(items.length)];
  }

  /** One of the items, as likely as its weight among all. */
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

  /** 0 … 2³² − 1 */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
