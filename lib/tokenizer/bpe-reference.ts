/**
 * Byte-pair encoding as it is defined, in the plainest form that is still of use: the reference that native/bpe is tested
 * against, and what runs where no compiler was found. Symbols as in byte-level.ts: bytes 0 to 255, merge k makes 256 + k.
 *
 * Training, after Sennrich et al. 2016 (arXiv:1508.07909), with the ties of Hugging Face's trainer: again and again the
 * most frequent pair of adjacent symbols, of several the smallest, becomes a symbol. Pieces of the corpus that are equal are
 * taken once, with a weight. `aaa` has the pair aa twice, though only one of them can be merged: so it is counted there too.
 *
 * Encoding applies the merges in the order in which they were learned, each from left to right.
 *
 *   pieces     aab aab ab       pairs      ab 3, aa 2
 *   merge 0    ab → X           pieces     aX aX X        pairs   aX 2
 *   merge 1    aX → Y           pieces     Y Y X          no pair is left
 *   encode     abab → X X       aabb → Y b
 */
import { BYTE_SYMBOL } from './byte-level.ts';

/** Merge k joins symbols merges[2k] and merges[2k + 1] into symbol 256 + k. */
export type Merges = Uint32Array;

/** A distinct piece of the corpus and how often it is there. */
export interface WeightedPiece {
  bytes: Uint8Array;
  weight: number;
}

export interface MergeOptions {
  /** merges wanted; fewer are learned where no pair is left that is frequent enough */
  merges: number;
  /** a pair that is rarer is not merged */
  minimumCount: number;
  /** byte strings that must not become symbols: the spellings of specials */
  forbidden: Uint8Array[];
}

/** Two symbols as one number, in the order of pairs: below 2^42, exact in a double. */
const pairOf = (left: number, right: number) => left * 0x200000 + right;

/** The merges, one at a time, so that a caller can report progress and let others run in between. */
export function* learnMerges(pieces: WeightedPiece[], options: MergeOptions): Generator<[number, number], void> {
  const symbols = pieces.map(({ bytes }) => Array.from(bytes, (byte) => BYTE_SYMBOL[byte]));
  const strings = Array.from({ length: 256 }, () => '');
  for (let byte = 0; byte < 256; byte++) strings[BYTE_SYMBOL[byte]] = String.fromCharCode(byte);
  const forbidden = new Set(options.forbidden.map((bytes) => String.fromCharCode(...bytes)));

  const counts = new Map<number, number>();
  /** which pieces a pair is in, or was once */
  const where = new Map<number, Set<number>>();
  const count = (piece: number, sign: 1 | -1) => {
    const sequence = symbols[piece];
    for (let i = 0; i + 1 < sequence.length; i++) {
      const pair = pairOf(sequence[i], sequence[i + 1]);
      counts.set(pair, (counts.get(pair) ?? 0) + sign * pieces[piece].weight);
      if (sign < 0) continue;
      const pieceSet = where.get(pair);
      if (pieceSet) pieceSet.add(piece);
      else where.set(pair, new Set([piece]));
    }
  };
  for (let piece = 0; piece < pieces.length; piece++) count(piece, 1);

  for (let learned = 0; learned < options.merges; ) {
    let best = -1;
    let bestCount = 0;
    for (const [pair, n] of counts) {
      if (n > bestCount || (n === bestCount && n > 0 && pair < best)) [best, bestCount] = [pair, n];
    }
    if (bestCount < Math.max(1, options.minimumCount)) return;
    const [left, right] = [Math.floor(best / 0x200000), best % 0x200000];
    const string = strings[left] + strings[right];
    if (forbidden.has(string)) {
      counts.delete(best);
      continue;
    }
    for (const piece of where.get(best)!) {
      count(piece, -1);
      symbols[piece] = joinPair(symbols[piece], left, right, strings.length);
      count(piece, 1);
    }
    counts.delete(best);
    where.delete(best);
    strings.push(string);
    learned++;
    yield [left, right];
  }
}

/** Replaces each left, right by joined, from left to right. */
function joinPair(sequence: number[], left: number, right: number, joined: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < sequence.length; i++) {
    if (sequence[i] === left && sequence[i + 1] === right) {
      result.push(joined);
      i++;
    } else result.push(sequence[i]);
  }
  return result;
}

/** Encodes one piece at a time; pieces are independent of each other. */
export class ReferenceEncoder {
  /** pair → merge */
  readonly #ranks = new Map<number, number>();

  constructor(merges: Merges) {
    for (let merge = 0; 2 * merge < merges.length; merge++) {
      this.#ranks.set(pairOf(merges[2 * merge], merges[2 * merge + 1]), merge);
    }
  }

  /**
   * Symbols of a piece of n bytes, in O(n log n): candidates wait in a heap by (merge, place), and are passed over when
   * one of their halves has been merged away meanwhile.
   */
  encode(piece: Uint8Array): number[] {
    const symbol = Array.from(piece, (byte) => BYTE_SYMBOL[byte]);
    const next = symbol.map((_, i) => i + 1);
    const previous = symbol.map((_, i) => i - 1);
    const GONE = -1;
    const heap: number[] = [];
    const propose = (i: number) => {
      const merge = next[i] < symbol.length ? this.#ranks.get(pairOf(symbol[i], symbol[next[i]])) : undefined;
      if (merge !== undefined) push(heap, merge * 0x80000000 + i);
    };
    for (let i = 0; i < symbol.length; i++) propose(i);
    for (let top = pop(heap); top !== undefined; top = pop(heap)) {
      const [merge, i] = [Math.floor(top / 0x80000000), top % 0x80000000];
      const j = next[i];
      if (symbol[i] === GONE || j >= symbol.length || this.#ranks.get(pairOf(symbol[i], symbol[j])) !== merge) continue;
      symbol[i] = 256 + merge;
      symbol[j] = GONE;
      next[i] = next[j];
      if (next[i] < symbol.length) previous[next[i]] = i;
      propose(i);
      if (previous[i] >= 0) propose(previous[i]);
    }
    return symbol.filter((s) => s !== GONE);
  }
}

/** Binary min-heap of numbers in an array. */
function push(heap: number[], value: number): void {
  let i = heap.push(value) - 1;
  for (let parent = (i - 1) >> 1; i > 0 && heap[parent] > value; i = parent, parent = (i - 1) >> 1) {
    heap[i] = heap[parent];
  }
  heap[i] = value;
}

function pop(heap: number[]): number | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (heap.length === 0 || last === undefined) return top;
  let i = 0;
  for (let child = 1; child < heap.length; child = 2 * i + 1) {
    if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= last) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}
