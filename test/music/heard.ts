/** Writes the notes of a MIDI file as text, for the expectations of tests. */
import { readMidi } from '../../lib/music/index.ts';

/**
 * Writes the notes of a MIDI file as text, in order of time. `60@0+1` is middle C at beat 0 for one beat. A leading `d`
 * marks a drum, and `p5` at the end means program 5; program 0 is left out.
 */
export function heard(bytes: Uint8Array): string {
  const { sequence } = readMidi(bytes);
  const beats = (ticks: number) => Math.round((ticks * 1000) / sequence.ticksPerBeat) / 1000;
  return sequence.parts
    .flatMap((part) => part.notes.map((note) => ({ ...note, drum: part.drum })))
    .sort((a, b) => a.start - b.start || a.pitch - b.pitch)
    .map(
      ({ drum, pitch, start, duration, program }) =>
        `${drum ? 'd' : ''}${pitch}@${beats(start)}+${beats(duration)}${program > 0 ? `p${program}` : ''}`,
    )
    .join(' ');
}
