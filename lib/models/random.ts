/**
 * The project's random numbers: Philox4x32-10, a counter-based generator that PyTorch and TensorFlow use on GPUs too.
 *
 * A draw depends only on (seed, purpose, index, position). So no state has to be saved: the windows of step 7 come from
 * `new Random(seed, 'windows', 7)`, whether or not steps 1 to 6 ran in this process.
 *
 * Only operations that IEEE 754 rounds exactly are used, without Math.log and Math.sin, so every machine draws the same
 * bits. The numbers must not be used for cryptography.
 *
 * @see Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC 2011
 */
import { ModelError } from './errors.ts';

/**
 * One sequence of random numbers.
 *
 * @example new Random(1, 'windows', 7).below(100) // the same number every time
 */
export class Random {
  readonly #key: [number, number];
  readonly #counter: [number, number, number, number];
  readonly #words = new Uint32Array(4);
  /** number of the four words that have been returned */
  #used = 4;
  /** the second draw of the last call of `normal` */
  #spare: number | undefined;

  /**
   * @param seed a whole number, 0 ≤ seed ≤ 2⁵³ − 1
   * @param purpose names the use of the numbers; different purposes have different sequences
   * @param index selects one of the purpose's sequences, 0 ≤ index ≤ 2⁵³ − 1
   * @throws ModelError if seed or index is out of range
   */
  constructor(seed: number, purpose: string, index = 0) {
    for (const [name, value] of Object.entries({ seed, index }))
      if (!Number.isSafeInteger(value) || value < 0)
        throw new ModelError(`${name} is ${value}; it must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
    this.#key = halves(seed);
    this.#counter = [0, fnv1a(purpose), ...halves(index)];
  }

  /** A whole number, uniform over 0 … 2³² − 1. */
  uint32(): number {
    if (this.#used === 4) {
      philox(this.#counter, this.#key, this.#words);
      this.#counter[0]++;
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** Uniform over [0, 1), with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /**
   * A whole number, uniform over 0 … n − 1. Draws from the remainder at the top of the range are rejected, so there is no
   * bias.
   *
   * @param n at most 2⁵³ − 1
   * @throws ModelError if n is not a whole number of at least 1
   */
  below(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1)
      throw new ModelError(`below(${n}): the bound must be a whole number of at least 1`);
    const range = 2 ** 53;
    const limit = range - (range % n);
    for (;;) {
      const draw = (this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6);
      if (draw < limit) return draw % n;
    }
  }

  /** Normal with mean 0 and variance 1, by Marsaglia's polar method: a point in the unit disc gives two draws. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = (this.uint32() + 0.5) / 2 ** 31 - 1;
      const v = (this.uint32() + 0.5) / 2 ** 31 - 1;
      const s = u * u + v * v;
      if (s >= 1) continue;
      const scale = Math.sqrt((-2 * naturalLogarithm(s)) / s);
      this.#spare = v * scale;
      return u * scale;
    }
  }
}

/**
 * Natural logarithm for 0 < x < 1, to about 1e-15, from exactly rounded operations.
 * x = m·2⁻ᵏ with √½ ≤ m < √2 by exact doublings, and ln m = 2·artanh((m − 1)/(m + 1)) by its series.
 */
export function naturalLogarithm(x: number): number {
  let exponent = 0;
  while (x < Math.SQRT1_2) {
    x *= 2;
    exponent--;
  }
  const z = (x - 1) / (x + 1);
  const z2 = z * z;
  let sum = 0;
  for (let n = 21; n >= 1; n -= 2) sum = sum * z2 + 1 / n;
  return 2 * z * sum + exponent * Math.LN2;
}

/**
 * The Philox4x32-10 function: ten rounds.
 *
 * @param counter 128 bits as four words
 * @param key 64 bits as two words
 * @param out receives four random words
 */
export function philox(counter: number[], key: number[], out: Uint32Array): void {
  let c0 = counter[0] | 0;
  let c1 = counter[1] | 0;
  let c2 = counter[2] | 0;
  let c3 = counter[3] | 0;
  let k0 = key[0] | 0;
  let k1 = key[1] | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Upper 32 bits of the product of two unsigned 32-bit numbers, computed by 16-bit halves. No sum exceeds 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const cross = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) | 0;
}

/** The low and high 32 bits of a number below 2⁵³. */
function halves(n: number): [number, number] {
  return [n >>> 0, Math.floor(n / 2 ** 32)];
}

/** 32-bit FNV-1a hash of the text's characters. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
