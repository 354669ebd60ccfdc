/**
 * Pairs the hashes that repro gives to code with those of the reference. How repro hashes modules is its own affair, but
 * the same modules must have the same hash, and others another one.
 */
import { type Block, json } from './block.ts';

/** The pairs that were seen so far. */
export class CodeHashes {
  readonly #references = new Map<string, string>();
  readonly #reals = new Map<string, string>();

  /** Whether a block of the lock or the run cache is this block of the reference. */
  isSame(real: Block | undefined, reference: Block | undefined): boolean {
    if (real === undefined || reference === undefined) return real === reference;
    return masked(real) === masked(reference) && this.#pairs(real, reference).every(([a, b]) => this.#fits(a, b));
  }

  /** Notes the hashes of two blocks that are the same run. */
  learn(real: Block, reference: Block): void {
    for (const [a, b] of this.#pairs(real, reference)) {
      this.#references.set(a, b);
      this.#reals.set(b, a);
    }
  }

  #pairs(real: Block, reference: Block): [real: string, reference: string][] {
    return Object.entries(real.code ?? {}).map(([entry, { sha256 }]) => [sha256, reference.code![entry].sha256]);
  }

  #fits(real: string, reference: string): boolean {
    return (this.#references.get(real) ?? reference) === reference && (this.#reals.get(reference) ?? real) === real;
  }
}

/** A block with the hashes of code left out. */
export function masked(block: Block): string {
  const code = Object.fromEntries(Object.keys(block.code ?? {}).map((entry) => [entry, '']));
  return json({ ...block, ...(block.code ? { code } : {}) });
}
