/**
 * How much of a tune is found in other tunes: single bars, sequences of notes, and the longest run of bars.
 *
 *     const index = new CopyIndex();
 *     for (const tune of trainingTunes) index.add(tune);
 *     index.compare(sample)  →  { bars: 40, barsFound: 26, ngrams: 310, ngramsFound: 120, longestCopy: 3 }
 *
 * Texts are compared as they are written, voice by voice, without tempo and program fields. So music in another key or
 * with another unit length does not count as found. Figures of a sample say little alone: compare them with those of
 * real tunes that were not trained on.
 */

/** How many notes, chords, rests and bar lines in a row make an n-gram. */
export const NGRAM = 8;

/** How much of a tune was found in other tunes. Bars without a note do not count. */
export interface Copies {
  bars: number;
  /** bars whose text is a bar of the other tunes */
  barsFound: number;
  /** sequences of NGRAM notes, chords, rests and bar lines of one voice */
  ngrams: number;
  ngramsFound: number;
  /** the largest number of bars in a row, in one voice, that follow each other in another tune */
  longestCopy: number;
}

/** The bars and n-grams of tunes. */
export class CopyIndex {
  /** by text of a bar: its places; places of neighbouring bars differ by 1 */
  readonly #places = new Map<string, number[]>();
  readonly #ngrams = new Set<number>();
  #next = 0;

  /** Adds the bars of a tune of the dialect. */
  add(abc: string): void {
    for (const bars of voiceBars(abc).values()) {
      for (const bar of bars) {
        const places = this.#places.get(bar);
        if (places === undefined) this.#places.set(bar, [this.#next]);
        else places.push(this.#next);
        this.#next++;
      }
      // A gap, so that the last bar of a voice and the first one of the next are not neighbours.
      this.#next++;
      for (const hash of ngramHashes(bars)) this.#ngrams.add(hash);
    }
  }

  /**
   * Looks up the bars and n-grams of a tune.
   *
   * @param skip bars at the beginning of each voice that are not looked up, because they were given
   */
  compare(abc: string, skip = 0): Copies {
    const found: Copies = { bars: 0, barsFound: 0, ngrams: 0, ngramsFound: 0, longestCopy: 0 };
    for (const voice of voiceBars(abc).values()) {
      const bars = voice.slice(skip);
      /** by place: the number of bars with notes that were copied up to it */
      let runs = new Map<number, number>();
      for (const bar of bars) {
        const places = this.#places.get(bar) ?? [];
        const counts = hasNote(bar) ? 1 : 0;
        found.bars += counts;
        if (places.length > 0) found.barsFound += counts;
        const next = new Map<number, number>();
        for (const place of places) {
          const length = (runs.get(place - 1) ?? 0) + counts;
          next.set(place, length);
          found.longestCopy = Math.max(found.longestCopy, length);
        }
        runs = next;
      }
      for (const hash of ngramHashes(bars)) {
        found.ngrams++;
        if (this.#ngrams.has(hash)) found.ngramsFound++;
      }
    }
    return found;
  }
}

/** The complete bars of each voice, without bar line, voice, tempo and program. */
export function voiceBars(abc: string): Map<string, string[]> {
  const voices = new Map<string, string[]>();
  let voice = '1';
  for (const line of abc.split('\n')) {
    const named = /^V:\s*(\S+)/.exec(line);
    if (named) voice = named[1];
    if (/^(?:[A-Za-z]:|%)/.test(line)) continue;
    for (const part of line.split('|').slice(0, -1)) {
      const inline = /^\s*\[V:\s*([^\]\s]+)[^\]]*\]/.exec(part);
      if (inline) voice = inline[1];
      const bar = part.slice(inline?.[0].length ?? 0).replace(/\[(?:Q|I):[^\]]*\]/g, '');
      if (!voices.has(voice)) voices.set(voice, []);
      voices.get(voice)!.push(bar.trim());
    }
  }
  return voices;
}

function hasNote(bar: string): boolean {
  return /[A-Ga-g]/.test(bar.replace(/\[[A-Z]:[^\]]*\]/g, ''));
}

/** A note, chord or rest with its length and tie, a field, or another character. */
const PIECE = /\[[A-Z]:[^\]]*\]|(?:\[[^\]]*\]|[\^_=]*[A-Ga-g][,']*|[zZ])[\d/]*-?|\S/g;

/** A hash of 53 bits for each n-gram of a voice. */
function* ngramHashes(bars: readonly string[]): Generator<number> {
  const pieces = bars.flatMap((bar) => [...(bar.match(PIECE) ?? []), '|'].map(hashOf));
  for (let i = 0; i + NGRAM <= pieces.length; i++) {
    let [high, low] = [0, 1];
    for (let k = i; k < i + NGRAM; k++) {
      high = Math.imul(high ^ pieces[k], 0x01000193);
      low = Math.imul((low << 5) ^ (low >>> 27) ^ pieces[k], 0x9e3779b1);
    }
    yield (high >>> 0) * 2 ** 21 + (low >>> 11);
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
