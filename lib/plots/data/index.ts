/**
 * The plots of the data that a study learns from.
 *
 *   splits.ts   splitPlot: files kept and dropped, and lengths of tunes
 *   tokens.ts   tokensPlot: use of the tokens, and tokens per tune
 */
export { type SplitCounts, splitPlot } from './splits.ts';
export { type TokenCounts, tokensPlot } from './tokens.ts';
