/**
 * Turns notes in time into notes on a grid.
 *
 * - quantise.ts: onsets, durations and voices
 * - bars.ts: the beginnings of bars, with their metre, tempo and key
 */
export { DEFAULT_GRID, isPlainDuration, type QuantiseOptions, quantise } from './quantise.ts';
