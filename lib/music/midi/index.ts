/**
 * Standard MIDI Files.
 *
 * - read-midi.ts: a file's chunks to a NoteSequence, with repairs
 * - read-track.ts: the events of a track
 * - event-frames.ts: where events begin and end, for decisions in damaged tracks
 * - sounding-notes.ts: which note-off ends which note
 * - hanging-notes.ts: the ends of notes without a note-off
 * - far-notes.ts: notes that damage moved behind the music
 * - drum-channels.ts: drums of GS, XG and GM2
 * - key-signatures.ts: one list of keys of all tracks
 * - write-midi.ts: a NoteSequence to a file
 * - midi-format.ts: names of status bytes and meta types
 */
export { readMidi } from './read-midi.ts';
export { writeMidi } from './write-midi.ts';
