/** lib/compose: composes the pieces of the synthetic data set, by a grammar and a seed. */
export { type ComposeOptions, composePiece, styleNames } from './compose.ts';
