/**
 * lib/compose: composes the pieces of the synthetic data set from a grammar and a seed.
 *
 * - compose.ts: composes a whole piece, from its plan to its ending
 * - styles.ts: the tables of styles; style.ts: their types, metres and drums
 * - harmony.ts: scales, chords, phrases of chords
 * - melody.ts: motifs and phrases
 * - accompaniment.ts: chords, bass, drums and the voices that follow the melody
 * - composition.ts: the type of a finished piece; write-midi.ts: a piece as a MIDI file
 * - random.ts: seeded random numbers
 */
export { type ComposeOptions, composePiece, styleNames } from './compose.ts';
