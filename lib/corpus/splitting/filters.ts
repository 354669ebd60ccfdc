/** The filters of a corpus: each drops the tunes beyond a limit. */
import type { InspectedTune } from './inspect-file.ts';

/** Limits of the filters. A tune at the limit is kept. */
export interface FilterLimits {
  minBars: number;
  maxBars: number;
  minNotes: number;
  maxVoices: number;
  /** characters of ABC text */
  maxChars: number;
  /** largest share of bars in which nothing sounds, 0 to 1 */
  maxEmptyBars: number;
  /** compressed size divided by size; below it a tune is too repetitive. 0 keeps all */
  minGzipRatio: number;
}

/** Limits that are used unless params.yaml sets others. */
export const DEFAULT_FILTERS: FilterLimits = {
  minBars: 4,
  maxBars: 2000,
  minNotes: 16,
  maxVoices: 32,
  maxChars: 200_000,
  maxEmptyBars: 0.9,
  minGzipRatio: 0,
};

/**
 * The filters, in the order in which they are applied. `name` is a key of the metrics. `why` gives the tune's figure.
 */
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

/** Names of the filters, in the order in which they are applied. */
export const FILTER_NAMES: readonly string[] = FILTERS.map(({ name }) => name);

/** Returns the first filter that drops a tune, with the reason; undefined if the tune is kept. */
export function firstFilter(tune: InspectedTune, limits: FilterLimits): { name: string; why: string } | undefined {
  const filter = FILTERS.find(({ drops }) => drops(tune, limits));
  return filter && { name: filter.name, why: filter.why(tune) };
}
