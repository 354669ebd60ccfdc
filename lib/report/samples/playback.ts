/** Notes for the page's synthesizer (client/synth.js), read from a MIDI file. */
import midiPackage from '@tonejs/midi';

/** A note to play. */
export interface Note {
  /** seconds from the beginning */
  start: number;
  /** seconds */
  duration: number;
  /** MIDI note number; for a drum, its General MIDI key */
  pitch: number;
  /** 0 to 1; default 0.7 */
  velocity?: number;
  /** General MIDI program from 0; default 0, a piano */
  program?: number;
  drum?: boolean;
}

/**
 * Reads the notes of a MIDI file.
 *
 * @returns the notes by start, then pitch
 * @throws Error the error of @tonejs/midi if the file cannot be read
 */
export function midiNotes(midiBase64: string): Note[] {
  const midi = new midiPackage.Midi(Buffer.from(midiBase64, 'base64'));
  const notes = midi.tracks.flatMap((track) =>
    track.notes.map(
      (note): Note => ({
        start: note.time,
        duration: note.duration,
        pitch: note.midi,
        velocity: note.velocity,
        program: track.instrument.number,
        drum: track.instrument.percussion,
      }),
    ),
  );
  return notes.sort((a, b) => a.start - b.start || a.pitch - b.pitch);
}

/** A note in the page's data: [start ms, duration ms, pitch, velocity 0–127, program or −1 for a drum]. */
export type PackedNote = [start: number, duration: number, pitch: number, velocity: number, program: number];

/** Packs notes for the page, sorted by start. */
export function packNotes(notes: readonly Note[]): PackedNote[] {
  return [...notes]
    .sort((a, b) => a.start - b.start)
    .map(({ start, duration, pitch, velocity = 0.7, program = 0, drum = false }) => [
      Math.round(1000 * start),
      Math.round(1000 * duration),
      pitch,
      Math.round(127 * velocity),
      drum ? -1 : program,
    ]);
}
