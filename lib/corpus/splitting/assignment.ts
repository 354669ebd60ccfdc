/**
 * Assigns tunes to splits by a hash of their group: the fingerprint of the music, for a group of near-duplicates the
 * smallest one.
 *
 * So the split of a tune does not depend on other tunes, except its near-duplicates (near-duplicates.ts). Adding,
 * removing or reordering other tunes does not move it.
 */
import { createHash } from 'node:crypto';
import { CorpusError } from '../errors.ts';

/** The splits: training, validation and test. */
export const SPLITS = ['train', 'val', 'test'] as const;
/** Name of a split. */
export type Split = (typeof SPLITS)[number];
/** Share of the tunes in each split, from 0 to 1. The three shares sum to 1. */
export type Fractions = Record<Split, number>;

/** @throws CorpusError if a share is outside 0 to 1, or if they do not sum to 1 */
export function checkFractions(fractions: Fractions): void {
  const sum = SPLITS.reduce((total, split) => total + fractions[split], 0);
  const bad = SPLITS.find((split) => !(fractions[split] >= 0 && fractions[split] <= 1));
  if (bad)
    throw new CorpusError(`split.fractions.${bad}: ${fractions[bad]} is not a share; it must be between 0 and 1`);
  if (Math.abs(sum - 1) > 1e-6) throw new CorpusError(`split.fractions: train, val and test sum to ${sum}, not 1`);
}

/**
 * Returns the split of a group. Test and validation lie at opposite ends of the unit interval, so changing the share of
 * one does not move tunes of the other.
 */
export function splitOf(group: string, fractions: Fractions, seed: number | string): Split {
  const at = hashToUnitInterval(`${seed}:${group}`);
  if (at < fractions.test) return 'test';
  return at >= 1 - fractions.val ? 'val' : 'train';
}

/** Maps a text to a number in [0, 1): the first 48 bits of its SHA-256. Uniform, and the same on every machine. */
export function hashToUnitInterval(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48;
}
