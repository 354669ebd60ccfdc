/**
 * What a vocabulary and a corpus do with each other: how often each id is used, and how long tunes are in tokens. Small enough
 * for a metrics file whatever the corpus: ranks are drawn at 1, 2, 5, 10, 20, … and lengths between powers of √2.
 */

export interface TokenStatistics {
  /** share of the vocabulary that the training split uses */
  vocabulary_use: number;
  /** bits a token of the training split if each came as often as it does, whatever came before it: log2 of what it is as good as choosing from */
  entropy: number;
  /** of the training split: the count of the id that is the rank-th most frequent */
  frequency: { rank: number; count: number }[];
  /** of all splits: tunes of at least `tokens` and fewer than `tokens` · √2, their `<|endoftext|>` counted */
  tokens_per_tune: { tokens: number; tunes: number }[];
}

const binOf = (tokens: number) => Math.floor(2 * Math.log2(tokens) + 1e-9);
const startOf = (bin: number) => Math.ceil(2 ** (bin / 2) - 1e-9);

export class StatisticsGatherer {
  readonly #counts: Float64Array;
  readonly #lengths: number[] = [];

  constructor(vocabularySize: number) {
    this.#counts = new Float64Array(vocabularySize);
  }

  /** One tune; the ids of the training split alone are counted. */
  add(ids: Uint16Array | Uint32Array, isTraining: boolean): void {
    const bin = binOf(ids.length);
    this.#lengths[bin] = (this.#lengths[bin] ?? 0) + 1;
    if (isTraining) for (let i = 0; i < ids.length; i++) this.#counts[ids[i]]++;
  }

  /** ids that the training split never uses */
  get unused(): number {
    return this.#counts.reduce((sum, count) => sum + Number(count === 0), 0);
  }

  result(): TokenStatistics {
    const sorted = this.#counts.filter((count) => count > 0).sort((a, b) => b - a);
    const total = sorted.reduce((sum, count) => sum + count, 0);
    const first = this.#lengths.findIndex((tunes) => tunes > 0);
    return {
      vocabulary_use: sorted.length / this.#counts.length,
      entropy: sorted.reduce((bits, count) => bits - (count / total) * Math.log2(count / total), 0),
      frequency: ranks(sorted.length).map((rank) => ({ rank, count: sorted[rank - 1] })),
      tokens_per_tune: Array.from(this.#lengths.slice(Math.max(0, first)), (tunes = 0, i) => ({
        tokens: startOf(first + i),
        tunes,
      })),
    };
  }
}

/** 1, 2, 5, 10, … and the last. */
function ranks(last: number): number[] {
  const found: number[] = [];
  for (let power = 1; power <= last; power *= 10) {
    for (const rank of [power, 2 * power, 5 * power]) if (rank < last) found.push(rank);
  }
  return last > 0 ? [...found, last] : [];
}
