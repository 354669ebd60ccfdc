/** Which tunes a corpus keeps: limits, and for each tune the first that it breaks. */
import type { InspectedTune } from './inspect-file.ts';

export interface FilterLimits {
  minBars: number;
  maxBars: number;
  minNotes: number;
  maxVoices: number;
  /** characters of ABC text */
  maxChars: number;
  /** share of bars in which nothing sounds */
  maxEmptyBars: number;
  /** compressed by uncompressed size, below which a tune only repeats itself; 0 keeps all */
  minGzipRatio: number;
}

export const DEFAULT_FILTERS: FilterLimits = {
  minBars: 4,
  maxBars: 2000,
  minNotes: 16,
  maxVoices: 32,
  maxChars: 200_000,
  maxEmptyBars: 0.9,
  minGzipRatio: 0,
};

/** In the order in which they are tried; `why` gives the tune's own figure. */
const FILTERS: readonly {
  name: string;
  drops(tune: InspectedTune, limits: FilterLimits): boolean;
  why(tune: InspectedTune): string;
}[] = [
  { name: 'too_few_bars', drops: (tune, { minBars }) => tune.bars < minBars, why: ({ bars }) => `${bars} bars` },
  { name: 'too_many_bars', drops: (tune, { maxBars }) => tune.bars > maxBars, why: ({ bars }) => `${bars} bars` },
  { name: 'too_few_notes', drops: (tune, { minNotes }) => tune.notes < minNotes, why: ({ notes }) => `${notes} notes` },
  {
    name: 'too_many_voices',
    drops: (tune, { maxVoices }) => tune.voices > maxVoices,
    why: ({ voices }) => `${voices} voices`,
  },
  {
    name: 'too_long',
    drops: (tune, { maxChars }) => tune.characters > maxChars,
    why: ({ characters }) => `${characters} characters`,
  },
  {
    name: 'mostly_empty',
    drops: (tune, { maxEmptyBars }) => tune.emptyBars > maxEmptyBars * tune.bars,
    why: ({ emptyBars, bars }) => `${emptyBars} of ${bars} bars are empty`,
  },
  {
    name: 'too_repetitive',
    drops: (tune, { minGzipRatio }) => tune.gzipRatio < minGzipRatio,
    why: ({ gzipRatio }) => `gzip ratio ${gzipRatio.toFixed(3)}`,
  },
];

export const FILTER_NAMES: readonly string[] = FILTERS.map(({ name }) => name);

/** The first filter that drops this tune and why, or undefined: it stays. */
export function firstFilter(tune: InspectedTune, limits: FilterLimits): { name: string; why: string } | undefined {
  const filter = FILTERS.find(({ drops }) => drops(tune, limits));
  return filter && { name: filter.name, why: filter.why(tune) };
}
