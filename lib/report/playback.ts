/** What the page's synthesizer plays: notes in seconds, from MIDI. How they sound is in client/synth.js. */
import midiPackage from '@tonejs/midi';

export interface Note {
  /** seconds from the beginning */
  start: number;
  /** seconds */
  duration: number;
  /** MIDI note number; of a drum, which drum */
  pitch: number;
  /** 0 to 1; default 0.7 */
  velocity?: number;
  /** General MIDI program from 0; default 0, a piano */
  program?: number;
  drum?: boolean;
}

/** By start. Throws what the MIDI parser throws. */
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

/** The page's short form: [start ms, duration ms, pitch, velocity 0–127, program, or −1 for a drum]. */
export type PackedNote = [number, number, number, number, number];

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
