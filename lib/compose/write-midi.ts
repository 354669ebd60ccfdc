/**
 * Writes a composed piece as a Standard MIDI File of format 1: a track for tempo, metre and key, then a track for each
 * voice.
 */
import midiPackage from '@tonejs/midi';
import type { Composition } from './composition.ts';
import { relativeMajor } from './harmony.ts';

/** Ticks per quarter note. With 480, sixteenths and triplets are whole numbers of ticks. */
const TICKS_PER_QUARTER = 480;
const TICKS_PER_SIXTEENTH = TICKS_PER_QUARTER / 4;
const DRUM_CHANNEL = 9;
/** Length of the file's header, which the first track follows. */
const TRACK_START = 14;

/** Velocities by role. The melody is loudest. */
const VELOCITY = {
  melody: 96,
  thirds: 80,
  imitation: 88,
  chords: 68,
  pad: 56,
  inner: 76,
  bass: 84,
  drums: 88,
} as const;

/** Names of the major keys by pitch class, in the spelling of key signatures. */
const MAJOR_KEYS = ['C', 'Db', 'D', 'Eb', 'E', 'F', 'Gb', 'G', 'Ab', 'A', 'Bb', 'B'];

/** Writes a piece as a MIDI file. */
export function compositionToMidi(piece: Composition): Uint8Array {
  const midi = new midiPackage.Midi();
  const { header } = midi;
  const { metre } = piece;
  const ticksOfBar = (bar: number) => bar * metre.bar * TICKS_PER_SIXTEENTH;
  // MIDI's tempo is in quarter notes a minute, a piece's in beats of its metre. The package rounds microseconds down.
  header.tempos = [{ ticks: 0, bpm: (piece.tempo * metre.beat) / 4 }];
  header.timeSignatures = [{ ticks: 0, timeSignature: [metre.numerator, metre.denominator] }];
  header.keySignatures = piece.keys.map(({ bar, key }) => ({
    ticks: ticksOfBar(bar),
    // The package names every signature by its major key. Modes other than minor are written as that major key.
    key: MAJOR_KEYS[relativeMajor(key)],
    scale: key.mode === 'minor' ? 'minor' : 'major',
  }));
  header.update();
  let channel = 0;
  for (const voice of piece.voices) {
    const track = midi.addTrack();
    track.name = voice.role;
    track.channel = voice.drums ? DRUM_CHANNEL : channel === DRUM_CHANNEL ? ++channel : channel;
    if (!voice.drums) channel++;
    track.instrument.number = voice.program;
    for (const note of voice.notes) {
      track.addNote({
        midi: note.pitch,
        ticks: note.start * TICKS_PER_SIXTEENTH,
        durationTicks: note.duration * TICKS_PER_SIXTEENTH,
        // The package multiplies by 127 and rounds down. Adding half a step makes the result exact.
        velocity: (VELOCITY[voice.role] + 0.5) / 127,
      });
    }
  }
  const bytes = midi.toArray();
  correctKeySignatures(bytes);
  return bytes;
}

/** A key signature in a MIDI file begins with these bytes. The number of sharps follows. */
const KEY_SIGNATURE = [0xff, 0x59, 0x02];
/** The package adds 14 to the number of sharps. A reader ignores what it then finds. */
const ADDED_SHARPS = 14;

/** Corrects the key signatures of the first track. No other event there can have their bytes. */
function correctKeySignatures(bytes: Uint8Array): void {
  const track = new DataView(bytes.buffer, bytes.byteOffset + TRACK_START);
  const end = TRACK_START + 8 + track.getUint32(4);
  for (let i = TRACK_START + 8; i < end; i++)
    if (KEY_SIGNATURE.every((byte, k) => bytes[i + k] === byte)) bytes[i + 3] -= ADDED_SHARPS;
}
