/** Formats numbers, intervals and names for the sentences of the study. */
import type { AlphaInterval } from './interval.ts';

/**
 * Writes a number with three significant digits and a unit prefix.
 *
 * @example formatNumber(0.0812) // '0.0812'
 * @example formatNumber(5123) // '5.12 k', with a no-break space
 */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return value > 0 ? '∞' : value < 0 ? '−∞' : 'none';
  if (value === 0) return '0';
  const sign = value < 0 ? '−' : '';
  if (size >= 1e15 || size < 1e-4) {
    const [digits, exponent] = size.toExponential(1).split('e');
    return `${sign}${digits} × 10^${exponent.replace('-', '−').replace('+', '')}`;
  }
  // From 0.9995 on, three significant digits round up to 1.00.
  for (const [unit, letter] of UNITS)
    if (size >= unit * 0.9995) return `${sign}${Number(significant(size / unit))}\u00a0${letter}`;
  return sign + significant(size);
}

/** Unit prefixes and their letters, largest first. */
const UNITS: readonly [number, string][] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** Three significant digits, without an exponent. */
function significant(size: number): string {
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(size)));
  return size.toFixed(decimals);
}

/**
 * An interval.
 *
 * @example formatInterval([0.0702, 0.0911]) // '0.0702 to 0.0911'
 */
export function formatInterval([low, high]: readonly [number, number]): string {
  return `${formatNumber(low)} to ${formatNumber(high)}`;
}

/**
 * An interval of α, which may have no upper end.
 *
 * @example formatAlpha([0.05, null]) // '0.0500 and above'
 */
export function formatAlpha([low, high]: AlphaInterval): string {
  return high === null ? `${formatNumber(low)} and above` : formatInterval([low, high]);
}

/**
 * A share as a percentage.
 *
 * @example formatPercent(0.95) // '95 %', with a no-break space
 */
export function formatPercent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}\u00a0%`;
}

/**
 * A number of things, with the noun in the singular or plural.
 *
 * @example countOf(3, 'run') // '3 runs'
 */
export function countOf(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** The name of an architecture for display: gpt → GPT, lstm → LSTM. Unknown names are returned unchanged. */
export function displayName(architecture: string): string {
  return /^(gpt|lstm|rnn|gru)$/.test(architecture) ? architecture.toUpperCase() : architecture;
}
