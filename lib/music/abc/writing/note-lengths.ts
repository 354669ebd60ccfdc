/** Writes durations as text, and chooses the unit length L: that makes a tune's text shortest. */
import type { LayeredVoice } from './layers.ts';
import type { NumberList } from './number-list.ts';
import { COUNT_SHIFT, LENGTH_MASK, MAX_PLAIN_STEPS, NEXT_LAYER, TIED } from './pieces.ts';

/** Denominators of the note lengths that L: may have. */
const UNITS = [4, 8, 16, 32, 64];

/** Results of lengthTexts by unit, filled on demand. */
const LENGTH_TABLES: string[][] = [];

/**
 * The text that follows the pitches of a piece, for every duration.
 *
 * @param unit steps of a note without a number
 * @returns texts indexed by duration in steps; at index duration + TIED, the text includes the tie
 */
export function lengthTexts(unit: number): string[] {
  return (LENGTH_TABLES[unit] ??= makeLengthTexts(unit));
}

function makeLengthTexts(unit: number): string[] {
  const table: string[] = new Array(LENGTH_MASK + 1).fill('');
  for (let steps = 0; steps <= MAX_PLAIN_STEPS; steps++) {
    const text = steps === 0 ? '' : lengthText(steps, unit);
    table[steps] = text;
    table[steps + TIED] = `${text}-`;
  }
  return table;
}

/** The multiplier of a duration: `2`, `/`, `/4`, `3/`, or an empty text for one unit. */
function lengthText(steps: number, unit: number): string {
  let numerator = steps;
  let denominator = unit;
  while (numerator % 2 === 0 && denominator > 1) {
    numerator /= 2;
    denominator /= 2;
  }
  const over = numerator === 1 ? '' : String(numerator);
  return denominator === 1 ? over : over + (denominator === 2 ? '/' : `/${denominator}`);
}

/**
 * Finds the L: with which the lengths of notes need the fewest characters. Of equally good units, it returns the
 * longest.
 *
 * @param pieces the list that layerScore filled
 * @returns the denominator: 8 for L:1/8
 */
export function shortestUnit(voices: LayeredVoice[], pieces: NumberList, grid: number): number {
  const counts = countDurations(voices, pieces);
  let best = UNITS[0];
  let bestSize = Number.POSITIVE_INFINITY;
  for (const unit of UNITS) {
    if (unit > 4 * grid) break;
    const lengths = lengthTexts((4 * grid) / unit);
    let size = 0;
    for (let steps = 1; steps <= MAX_PLAIN_STEPS; steps++) size += counts[steps] * lengths[steps].length;
    if (size < bestSize) {
      bestSize = size;
      best = unit;
    }
  }
  return best;
}

/** The number of pieces of each duration, in steps. */
function countDurations(voices: LayeredVoice[], { numbers }: NumberList): Int32Array {
  const counts = new Int32Array(TIED);
  for (const { bars } of voices) {
    const end = bars[bars.length - 1];
    for (let i = bars[0]; i < end; i++) {
      if (numbers[i] <= NEXT_LAYER) continue;
      counts[numbers[i] & (TIED - 1)]++;
      i += numbers[i] >> COUNT_SHIFT;
    }
  }
  return counts;
}
