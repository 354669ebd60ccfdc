/** The types that the implementations of BPE share: the merges, and the arguments of training. */

/**
 * The merges in the order in which they were learned. Merge k joins symbols merges[2k] and merges[2k + 1] into symbol
 * 256 + k. Its index k is also its rank: encoding applies the merge of the lowest rank first.
 */
export type Merges = Uint32Array;

/** A distinct piece of the corpus. */
export interface WeightedPiece {
  bytes: Uint8Array;
  /** The number of occurrences of the piece in the corpus. */
  weight: number;
}

/** Options of training. */
export interface MergeOptions {
  /** Number of merges to learn. Fewer are learned if no pair is left that is frequent enough. */
  merges: number;
  /** Pairs that occur less often are not merged. */
  minimumCount: number;
  /** Byte strings that must not become symbols: the spellings of specials. */
  forbidden: Uint8Array[];
}
