/**
 * BPE training and encoding in TypeScript. Used if the addon is not built, and for the rare tokenizer.json that the
 * addon refuses. The results equal those of bpe-reference.ts, which defines them.
 *
 * Training counts equal pieces once, with a weight. It updates the pair counts after each merge instead of counting all
 * pairs again. Encoding takes O(n log n) for a piece of n bytes.
 */
import { BYTE_SYMBOL } from './byte-level.ts';
import type { MergeOptions, Merges, WeightedPiece } from './merges.ts';

/** Greater than any symbol, because a vocabulary has at most 2^20 symbols. */
const SYMBOL_LIMIT = 0x200000;

/** Greater than any position in a piece. */
const POSITION_LIMIT = 0x80000000;

/** Marks the place of a symbol that was merged into its left neighbour. */
const MERGED_AWAY = -1;

/** Two symbols as one number that sorts as the pair does. It is below 2^42, so it is exact in a double. */
const pairKey = (left: number, right: number) => left * SYMBOL_LIMIT + right;

/**
 * Learns merges. They are yielded one at a time, so that the caller can report progress and yield to the event loop.
 *
 * @returns a generator of pairs (left, right); pair k makes symbol 256 + k
 */
export function* learnMerges(pieces: WeightedPiece[], options: MergeOptions): Generator<[number, number], void> {
  const sequences = pieces.map(({ bytes }) => Array.from(bytes, (byte) => BYTE_SYMBOL[byte]));
  const spellings = Array.from({ length: 256 }, () => '');
  for (let byte = 0; byte < 256; byte++) spellings[BYTE_SYMBOL[byte]] = String.fromCharCode(byte);
  const forbidden = new Set(options.forbidden.map((bytes) => String.fromCharCode(...bytes)));

  const counts = new Map<number, number>();
  /** Pair → pieces that hold it or once held it. */
  const piecesOf = new Map<number, Set<number>>();
  const addCounts = (piece: number, sign: 1 | -1) => {
    const sequence = sequences[piece];
    for (let i = 0; i + 1 < sequence.length; i++) {
      const pair = pairKey(sequence[i], sequence[i + 1]);
      counts.set(pair, (counts.get(pair) ?? 0) + sign * pieces[piece].weight);
      if (sign < 0) continue;
      const pieceSet = piecesOf.get(pair);
      if (pieceSet) pieceSet.add(piece);
      else piecesOf.set(pair, new Set([piece]));
    }
  };
  for (let piece = 0; piece < pieces.length; piece++) addCounts(piece, 1);

  for (let learned = 0; learned < options.merges; ) {
    let best = -1;
    let bestCount = 0;
    for (const [pair, count] of counts) {
      if (count > bestCount || (count === bestCount && count > 0 && pair < best)) [best, bestCount] = [pair, count];
    }
    if (bestCount < Math.max(1, options.minimumCount)) return;
    const [left, right] = [Math.floor(best / SYMBOL_LIMIT), best % SYMBOL_LIMIT];
    const spelling = spellings[left] + spellings[right];
    if (forbidden.has(spelling)) {
      counts.delete(best);
      continue;
    }
    for (const piece of piecesOf.get(best)!) {
      addCounts(piece, -1);
      sequences[piece] = mergePair(sequences[piece], left, right, spellings.length);
      addCounts(piece, 1);
    }
    counts.delete(best);
    piecesOf.delete(best);
    spellings.push(spelling);
    learned++;
    yield [left, right];
  }
}

/** Replaces each occurrence of the pair by `merged`, from left to right. */
function mergePair(sequence: number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < sequence.length; i++) {
    if (sequence[i] === left && sequence[i + 1] === right) {
      result.push(merged);
      i++;
    } else result.push(sequence[i]);
  }
  return result;
}

/** Encodes pieces with given merges. Pieces are independent of each other. */
export class TypeScriptEncoder {
  /** Pair → rank of its merge. */
  readonly #ranks = new Map<number, number>();

  constructor(merges: Merges) {
    for (let rank = 0; 2 * rank < merges.length; rank++) {
      this.#ranks.set(pairKey(merges[2 * rank], merges[2 * rank + 1]), rank);
    }
  }

  /**
   * Encodes one piece. Possible merges wait in a heap, ordered by (rank, position). An entry is skipped if one of its
   * two symbols has been merged since the entry was pushed.
   *
   * @returns the symbols of the piece
   */
  encode(piece: Uint8Array): number[] {
    const symbols = Array.from(piece, (byte) => BYTE_SYMBOL[byte]);
    const next = symbols.map((_, i) => i + 1);
    const previous = symbols.map((_, i) => i - 1);
    const heap: number[] = [];
    const pushMergeAt = (i: number) => {
      const rank = next[i] < symbols.length ? this.#ranks.get(pairKey(symbols[i], symbols[next[i]])) : undefined;
      if (rank !== undefined) push(heap, rank * POSITION_LIMIT + i);
    };
    for (let i = 0; i < symbols.length; i++) pushMergeAt(i);
    for (let top = pop(heap); top !== undefined; top = pop(heap)) {
      const [rank, i] = [Math.floor(top / POSITION_LIMIT), top % POSITION_LIMIT];
      const j = next[i];
      if (symbols[i] === MERGED_AWAY || j >= symbols.length) continue;
      if (this.#ranks.get(pairKey(symbols[i], symbols[j])) !== rank) continue;
      symbols[i] = 256 + rank;
      symbols[j] = MERGED_AWAY;
      next[i] = next[j];
      if (next[i] < symbols.length) previous[next[i]] = i;
      pushMergeAt(i);
      if (previous[i] >= 0) pushMergeAt(previous[i]);
    }
    return symbols.filter((symbol) => symbol !== MERGED_AWAY);
  }
}

/** Adds a number to a binary min-heap stored in an array. */
function push(heap: number[], value: number): void {
  let i = heap.push(value) - 1;
  for (let parent = (i - 1) >> 1; i > 0 && heap[parent] > value; i = parent, parent = (i - 1) >> 1) {
    heap[i] = heap[parent];
  }
  heap[i] = value;
}

/** Removes the smallest number of the heap. Returns undefined if the heap is empty. */
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
