export { DEFAULT_GRID, isPlainDuration, quantise } from './quantise.ts';
