/**
 * Token statistics of a corpus for the metrics file: the frequencies of ids, and the lengths of tunes in tokens.
 *
 * The result is small for any corpus: frequencies are given at the ranks 1, 2, 5, 10, 20, …, and lengths in bins from
 * one power of √2 to the next.
 */

/** Statistics of a tokenized corpus. The names are the keys of the metrics file. */
export interface TokenStatistics {
  /** Share of the vocabulary that the training split uses, 0 to 1. */
  vocabulary_use: number;
  /** Unigram entropy of the training split, in bits per token. */
  entropy: number;
  /** Number of occurrences of the rank-th most frequent id in the training split. */
  frequency: { rank: number; count: number }[];
  /** Over all splits: number of tunes with `tokens` ≤ length < `tokens`·√2, `<|endoftext|>` included. */
  tokens_per_tune: { tokens: number; tunes: number }[];
}

/** Added so that rounding errors of the logarithm do not move exact powers to another bin. */
const ROUNDING = 1e-9;

/** The bin of a length: bin k begins at √2^k. */
const binOf = (tokens: number) => Math.floor(2 * Math.log2(tokens) + ROUNDING);

/** The least length in a bin. */
const startOf = (bin: number) => Math.ceil(2 ** (bin / 2) - ROUNDING);

/** Collects the statistics, tune by tune. */
export class StatisticsCollector {
  /** Id → occurrences in the training split. */
  readonly #counts: Float64Array;
  /** Bin → number of tunes. */
  readonly #tunesPerBin: number[] = [];

  constructor(vocabularySize: number) {
    this.#counts = new Float64Array(vocabularySize);
  }

  /** Adds a tune. Its ids are counted only if it is in the training split. */
  add(ids: Uint16Array | Uint32Array, isTraining: boolean): void {
    const bin = binOf(ids.length);
    this.#tunesPerBin[bin] = (this.#tunesPerBin[bin] ?? 0) + 1;
    if (isTraining) for (let i = 0; i < ids.length; i++) this.#counts[ids[i]]++;
  }

  /** Number of ids that the training split does not use. */
  get unused(): number {
    return this.#counts.reduce((sum, count) => sum + Number(count === 0), 0);
  }

  /** The statistics of the tunes added so far. */
  result(): TokenStatistics {
    const sorted = this.#counts.filter((count) => count > 0).sort((a, b) => b - a);
    const total = sorted.reduce((sum, count) => sum + count, 0);
    const firstBin = this.#tunesPerBin.findIndex((tunes) => tunes > 0);
    return {
      vocabulary_use: sorted.length / this.#counts.length,
      entropy: sorted.reduce((bits, count) => bits - (count / total) * Math.log2(count / total), 0),
      frequency: ranksUpTo(sorted.length).map((rank) => ({ rank, count: sorted[rank - 1] })),
      tokens_per_tune: Array.from(this.#tunesPerBin.slice(Math.max(0, firstBin)), (tunes = 0, i) => ({
        tokens: startOf(firstBin + i),
        tunes,
      })),
    };
  }
}

/** The ranks 1, 2, 5, 10, 20, … below `last`, and `last`. */
function ranksUpTo(last: number): number[] {
  const ranks: number[] = [];
  for (let power = 1; power <= last; power *= 10) {
    for (const rank of [power, 2 * power, 5 * power]) if (rank < last) ranks.push(rank);
  }
  return last > 0 ? [...ranks, last] : [];
}
