/**
 * Groups tunes that are renderings of one piece, so that a piece does not reach both the training and the test split.
 *
 * Two tunes are near-duplicates if their sketches (lib/music, sketch.ts) are similar enough. Groups are the connected
 * tunes. Candidates come from an index of the hashes, without those that many tunes share: common figures, such as
 * scales. So the time grows about linearly with the number of tunes.
 */
import { SKETCH_SIZE, sketchSimilarity } from '../../music/index.ts';

/** A hash that more tunes share is a common figure. */
const MAX_TUNES_OF_HASH = 50;
/**
 * Least similarity of near-duplicates: BASE for long pieces, and more for short ones, which share more by chance.
 * docs/benchmarks/music.md has the share of pairs that is found, and of false ones.
 */
const BASE_SIMILARITY = 0.05;
const SHORT_SIMILARITY = 16;

/** Whether two sketches are of renderings of one piece. */
export function areNearDuplicates(a: Uint32Array, b: Uint32Array): boolean {
  const { similarity } = sketchSimilarity(a, b);
  return similarity >= BASE_SIMILARITY + SHORT_SIMILARITY / Math.min(a.length, b.length);
}

/**
 * Groups near-duplicates.
 *
 * @param sketches one for each tune, see sketchOf
 * @returns for each tune, the lowest index of a tune of its group
 */
export function groupNearDuplicates(sketches: readonly Uint32Array[]): number[] {
  const groups = sketches.map((_, i) => i);
  const find = (i: number): number => {
    let root = i;
    while (groups[root] !== root) root = groups[root];
    for (let at = i; groups[at] !== root; ) [at, groups[at]] = [groups[at], root];
    return root;
  };
  for (const [a, b] of candidates(sketches)) {
    const [x, y] = [find(a), find(b)];
    if (x !== y && areNearDuplicates(sketches[a], sketches[b])) groups[Math.max(x, y)] = Math.min(x, y);
  }
  return groups.map((_, i) => find(i));
}

/** Pairs of tunes that share enough rare hashes to be near-duplicates. */
function* candidates(sketches: readonly Uint32Array[]): Generator<[number, number]> {
  const tunesOf = new Map<number, number[]>();
  const shared = new Uint16Array(sketches.length);
  for (const [tune, sketch] of sketches.entries()) {
    const touched: number[] = [];
    for (const hash of sketch) {
      const tunes = tunesOf.get(hash);
      if (tunes === undefined) tunesOf.set(hash, [tune]);
      else if (tunes.length < MAX_TUNES_OF_HASH) {
        for (const other of tunes) if (shared[other]++ === 0) touched.push(other);
        tunes.push(tune);
      }
    }
    for (const other of touched) {
      const least = (BASE_SIMILARITY * Math.min(sketch.length, sketches[other].length, SKETCH_SIZE)) / 2;
      if (shared[other] >= Math.max(2, least)) yield [other, tune];
      shared[other] = 0;
    }
  }
}
