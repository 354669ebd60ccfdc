/** How many bars of a text are as long as their metre says: a measure of validity that is not all or nothing. */
import { metreDuration, type Tune } from '../abc/index.ts';

/** Bars of all voices, and those of the right length. */
export interface BarLengths {
  bars: number;
  right: number;
}

/**
 * Counts the bars of all voices whose layers are all as long as the metre. An upbeat counts as wrong, since the dialect
 * has none; a bar without a metre too.
 *
 * @param skip bars at the beginning of each voice that are not counted, because they were given
 */
export function barLengths(tune: Tune, skip = 0): BarLengths {
  const bars = tune.voices.flatMap((voice) => voice.bars.slice(skip));
  const right = bars.filter(({ metre, layers }) => {
    if (metre === undefined) return false;
    const expected = metreDuration(metre);
    return layers.every(({ duration }) => Math.abs(duration - expected) < 1);
  });
  return { bars: bars.length, right: right.length };
}
