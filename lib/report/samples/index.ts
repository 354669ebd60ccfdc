/**
 * Prepares the samples of the report, which the page draws and plays.
 *
 *   score.ts           layOutScore: ABC of a sample → ABC for drawing
 *   drum-notation.ts   staff positions of drums
 *   instruments.ts     names of the General MIDI programs
 *   playback.ts        MIDI of a sample → notes for the synthesizer
 *   measures.ts        names and meanings of the measures of a sample
 */
export { MEASURES } from './measures.ts';
export { midiNotes, type Note, type PackedNote, packNotes } from './playback.ts';
export { layOutScore } from './score.ts';
