/**
 * What the tunes that were kept are like, counted while they are written: how long they are and which characters they are made of.
 * `statistics.json` beside the splits holds all of it; what is small enough for a metrics file and is plotted is in the metrics too.
 */

/** Tunes of at least `from` and fewer than `from` · √2, rounded up. */
export interface Bin {
  from: number;
  tunes: number;
}

export interface CorpusStatistics {
  /** of the tunes of all splits, without their transpositions */
  histograms: { characters: Bin[]; bars: Bin[]; notes: Bin[]; voices: Bin[] };
  /** how often each occurs in the lines of train, most frequent first */
  characters_of_train: { character: string; count: number }[];
}

/** Characters of tunes are ASCII as we write them; others may be in text that came from elsewhere. */
const CODE_UNITS = 65_536;

export class StatisticsOfTunes {
  readonly #histograms = {
    characters: new Histogram(),
    bars: new Histogram(),
    notes: new Histogram(),
    voices: new Histogram(),
  };
  readonly #units = new Float64Array(CODE_UNITS);

  addTune(tune: { characters: number; bars: number; notes: number; voices: number }): void {
    for (const name of ['characters', 'bars', 'notes', 'voices'] as const) this.#histograms[name].add(tune[name]);
  }

  /** A line of train. */
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

/** Counts by powers of √2: as fine for short tunes as for long ones. */
class Histogram {
  readonly #counts: number[] = [];

  add(value: number): void {
    // Beside a power of √2, rounding must not put a value below the bin that names it.
    const bin = Math.floor(2 * Math.log2(Math.max(1, value)) + 1e-9);
    this.#counts[bin] = (this.#counts[bin] ?? 0) + 1;
  }

  /** From the first that holds a tune to the last, those between that hold none too. */
  bins(): Bin[] {
    const first = this.#counts.findIndex((count) => count > 0);
    return Array.from(this.#counts.slice(Math.max(0, first)), (tunes = 0, i) => ({
      from: Math.ceil(2 ** ((first + i) / 2) - 1e-9),
      tunes,
    }));
  }
}
