/**
 * Which split a tune belongs to: by a hash of what it is, so that it depends on no other tune.
 *
 * Adding tunes, removing some or changing the order moves nothing; all tunes of one group (near-copies, transpositions) go together.
 */
import { createHash } from 'node:crypto';
import { CorpusError } from '../errors.ts';

export const SPLITS = ['train', 'val', 'test'] as const;
export type Split = (typeof SPLITS)[number];
export type Fractions = Record<Split, number>;

export function checkFractions(fractions: Fractions): void {
  const sum = SPLITS.reduce((total, split) => total + fractions[split], 0);
  const bad = SPLITS.find((split) => !(fractions[split] >= 0 && fractions[split] <= 1));
  if (bad) throw new CorpusError(`split.fractions.${bad}: ${fractions[bad]} is no share; one between 0 and 1 would be`);
  if (Math.abs(sum - 1) > 1e-6) throw new CorpusError(`split.fractions: train, val and test make ${sum}, not 1`);
}

/** Test and validation lie at the two ends of the unit interval, so that one may grow without moving the other's tunes. */
export function splitOf(group: string, fractions: Fractions, seed: number | string): Split {
  const at = uniform(`${seed}:${group}`);
  if (at < fractions.test) return 'test';
  return at >= 1 - fractions.val ? 'val' : 'train';
}

/** A text's place in [0, 1), uniform and the same everywhere: the first 48 bits of its SHA-256. */
export function uniform(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48;
}
