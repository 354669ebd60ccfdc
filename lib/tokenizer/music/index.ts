/**
 * The tokenizer whose tokens are elements of ABC notation.
 *
 *   music-tokenizer.ts   the tokenizer: train, load, encode, decode
 *   abc-lexer.ts         cuts ABC text into lexemes: notes, durations, bar lines, …
 */
export { MusicTokenizer } from './music-tokenizer.ts';
