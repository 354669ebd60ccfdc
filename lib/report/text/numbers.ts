/** Numbers and counts in the text of the page. */
import type { AlphaInterval } from '../../scaling/index.ts';
import { type Html, html } from '../html.ts';

/**
 * A number with `precision` significant digits, with all digits before the point, or in exponential form if it is
 * extreme.
 */
export function formatNumber(value: number, precision = 3): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-4 || size >= 1e6)
      ? value.toExponential(precision - 1)
      : size >= 10 ** precision
        ? value.toFixed(0)
        : value.toPrecision(precision);
  return text.replace('-', '−').replace('e+', 'e');
}

/** An integer with separators: 512,640. */
export function formatInteger(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** A share as a percentage: 3.8 %. */
export function formatShare(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

/** "1 sample", "2 samples". */
export function plural(n: number, noun: string): string {
  return `${formatInteger(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** Seconds as "48 s", "5 min 3 s" or "2 h 10 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${formatNumber(seconds, seconds < 10 ? 2 : 3)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds - 60 * minutes)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** An interval, which may have no upper end: "0.31 to 0.39", or "0.05 and above". */
export function formatInterval([low, high]: AlphaInterval | readonly [number, number]): string {
  return high === null ? `${formatNumber(low)} and above` : `${formatNumber(low)} to ${formatNumber(high)}`;
}

/** "0.35 0.31–0.39", or "0.35 0.05 and above". */
export function withInterval(value: number, interval: AlphaInterval | readonly [number, number] | null): Html {
  if (interval === null) return html`${formatNumber(value)}`;
  const [low, high] = interval;
  const shown = high === null ? `${formatNumber(low)} and above` : `${formatNumber(low)}–${formatNumber(high)}`;
  return html`${formatNumber(value)} <small>${shown}</small>`;
}
