/**
 * Standard MIDI Files.
 *
 * - read-midi.ts: a file's chunks to a NoteSequence, with repairs
 * - read-track.ts: the events of a track
 * - sounding-notes.ts: which note-off ends which note
 * - write-midi.ts: a NoteSequence to a file
 * - midi-format.ts: names of status bytes and meta types
 */
export { readMidi } from './read-midi.ts';
export { writeMidi } from './write-midi.ts';
