/**
 * Statistics of the kept tunes, collected while they are written: histograms of their lengths, and character counts.
 * `statistics.json` beside the splits holds all of them. The metrics hold only the histogram of characters, which is plotted.
 */

/** A bin of a histogram: the number of tunes of at least `from` and fewer than `from` · √2, both rounded up. */
export interface Bin {
  from: number;
  tunes: number;
}

/** Content of statistics.json, besides the sizes of the splits. */
export interface CorpusStatistics {
  /** over the tunes of all splits, without transpositions */
  histograms: { characters: Bin[]; bars: Bin[]; notes: Bin[]; voices: Bin[] };
  /** occurrences of each character in the lines of train, most frequent first */
  characters_of_train: { character: string; count: number }[];
}

/**
 * Number of different UTF-16 code units. This project's converter writes only ASCII, but other ABC files may contain
 * any character.
 */
const CODE_UNITS = 65_536;

/** Collects the statistics, tune by tune and line by line. */
export class StatisticsCollector {
  readonly #histograms = {
    characters: new Histogram(),
    bars: new Histogram(),
    notes: new Histogram(),
    voices: new Histogram(),
  };
  readonly #units = new Float64Array(CODE_UNITS);

  /** Adds a tune of any split to the histograms. */
  addTune(tune: { characters: number; bars: number; notes: number; voices: number }): void {
    for (const name of ['characters', 'bars', 'notes', 'voices'] as const) this.#histograms[name].add(tune[name]);
  }

  /** Counts the characters of a line of train. */
  addText(abc: string): void {
    for (let i = 0; i < abc.length; i++) this.#units[abc.charCodeAt(i)]++;
  }

  result(): CorpusStatistics {
    const { characters, bars, notes, voices } = this.#histograms;
    return {
      histograms: { characters: characters.bins(), bars: bars.bins(), notes: notes.bins(), voices: voices.bins() },
      characters_of_train: [...this.#units.entries()]
        .filter(([, count]) => count > 0)
        .map(([unit, count]) => ({ character: String.fromCharCode(unit), count }))
        .sort((a, b) => b.count - a.count || (a.character < b.character ? -1 : 1)),
    };
  }
}

/** A histogram whose bins grow by √2, so that the relative resolution is the same for short and long tunes. */
class Histogram {
  readonly #counts: number[] = [];

  add(value: number): void {
    // Without the 1e-9, rounding could put a value that equals a bin's start into the bin below.
    const bin = Math.floor(2 * Math.log2(Math.max(1, value)) + 1e-9);
    this.#counts[bin] = (this.#counts[bin] ?? 0) + 1;
  }

  /** The bins from the first to the last that hold a tune, empty ones in between included. */
  bins(): Bin[] {
    const first = this.#counts.findIndex((count) => count > 0);
    return Array.from(this.#counts.slice(Math.max(0, first)), (tunes = 0, i) => ({
      from: Math.ceil(2 ** ((first + i) / 2) - 1e-9),
      tunes,
    }));
  }
}
