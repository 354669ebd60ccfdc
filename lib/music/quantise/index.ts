/**
 * Turns notes in time into notes on a grid.
 *
 * - quantise.ts: the whole sequence: voices, bars, keys
 * - join-parts.ts: which parts become one voice
 * - quantise-part.ts: onsets and durations of a voice
 * - beat-grids.ts: which beats have triplets or quintuplets
 * - bars.ts: the beginnings of bars, with their metre, tempo and key
 */
export { DEFAULT_GRID, type Quantised, type QuantiseOptions, quantise } from './quantise.ts';
export { isPlainDuration } from './quantise-part.ts';
