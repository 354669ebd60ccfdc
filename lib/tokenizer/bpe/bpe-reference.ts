/**
 * The definition of BPE training and encoding, written so that a reader can check it. It is slow and runs in tests
 * only, which compare native/bpe and bpe-typescript.ts with it.
 *
 * Pairs are pairs of adjacent symbols. Symbols 0 to 255 are bytes (byte-level.ts), and merge k makes symbol 256 + k.
 *
 *   pieces     aab aab ab       pairs      ab 3, aa 2
 *   merge 0    ab → X           pieces     aX aX X        pairs   aX 2
 *   merge 1    aX → Y           pieces     Y Y X          no pair is left
 *   encode     abab → X X       aabb → Y b
 *
 * @see Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword units"
 *   (arXiv:1508.07909), algorithm 1; Radford et al. 2019 (GPT-2), section 2.2, for BPE on bytes
 */
import { BYTE_SYMBOL, SYMBOL_BYTE } from './byte-level.ts';
import type { MergeOptions, Merges } from './merges.ts';

type Pair = readonly [left: number, right: number];

/**
 * Learns merges by repeatedly merging the most frequent pair. Of equally frequent pairs the one with the smallest
 * (left, right) is merged, as in Hugging Face's trainer. Overlapping pairs count: `aaa` holds the pair aa twice.
 *
 * @param pieces all pieces of the corpus, with repetitions
 * @param options the number of merges, the count that a pair needs, and the byte strings that must not become symbols
 * @returns the merges in the order in which they were learned; fewer than wanted if no pair is frequent enough
 */
export function referenceTrain(pieces: readonly Uint8Array[], options: MergeOptions): Merges {
  const forbidden = options.forbidden.map(String);
  const spelling = Array.from(SYMBOL_BYTE, (byte) => [byte]);
  const merges: Pair[] = [];
  let sequences = pieces.map(toSymbols);
  while (merges.length < options.merges) {
    const allowed = countPairs(sequences).filter(
      ({ pair: [left, right], count }) =>
        count >= options.minimumCount && !forbidden.includes(String([...spelling[left], ...spelling[right]])),
    );
    if (allowed.length === 0) break;
    const { pair } = allowed.reduce((best, other) => (isBefore(other, best) ? other : best));
    const merged = 256 + merges.length;
    sequences = sequences.map((sequence) => mergePair(sequence, pair, merged));
    spelling.push([...spelling[pair[0]], ...spelling[pair[1]]]);
    merges.push(pair);
  }
  return Uint32Array.from(merges.flat());
}

/**
 * Encodes one piece by repeatedly applying the merge with the lowest rank among the pairs of the piece.
 *
 * @returns the symbols of the piece
 */
export function referenceEncode(piece: Uint8Array, merges: Merges): number[] {
  let symbols = toSymbols(piece);
  for (let rank = 0; rank < merges.length / 2; rank++) {
    // A new symbol is part of later merges only, so each merge is applied once.
    symbols = mergePair(symbols, [merges[2 * rank], merges[2 * rank + 1]], 256 + rank);
  }
  return symbols;
}

interface PairCount {
  pair: Pair;
  count: number;
}

function toSymbols(piece: Uint8Array): number[] {
  return Array.from(piece, (byte) => BYTE_SYMBOL[byte]);
}

function countPairs(sequences: readonly number[][]): PairCount[] {
  const counts = new Map<string, PairCount>();
  for (const sequence of sequences) {
    for (let i = 0; i + 1 < sequence.length; i++) {
      const pair = [sequence[i], sequence[i + 1]] as const;
      const entry = counts.get(String(pair)) ?? { pair, count: 0 };
      entry.count++;
      counts.set(String(pair), entry);
    }
  }
  return [...counts.values()];
}

/**
 * Whether `a` is merged before `b`: it has the higher count, or else the smaller left symbol, or else the smaller right
 * symbol.
 */
function isBefore(a: PairCount, b: PairCount): boolean {
  return a.count > b.count || (a.count === b.count && (a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1]) < 0);
}

/** Replaces each occurrence of the pair by `merged`, from left to right. */
function mergePair(sequence: readonly number[], [left, right]: Pair, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < sequence.length; i++) {
    if (sequence[i] === left && sequence[i + 1] === right) {
      result.push(merged);
      i++;
    } else result.push(sequence[i]);
  }
  return result;
}
