/**
 * Performance → Standard MIDI File, format 1: a track of tempos, metres and keys, then a track for each part.
 *
 * Drums are on channel 10; the other parts take the remaining fifteen channels in turn, each with its own program changes.
 */
import type { NoteSequence, Part } from '../model/index.ts';

/** 480 is divisible by the grid's 16 or 32 and by 3 and 5, for tuplets. */
const TICKS_PER_BEAT = 480;
const VELOCITY = 80;
/** Three bytes of microseconds: 3.6 beats a minute. */
const LONGEST_BEAT = 0xffffff;
/** Bytes of a variable-length quantity. */
const LONGEST_QUANTITY = 4;

interface ConductorEvent {
  tick: number;
  /** status, type, length and data */
  bytes: number[];
}

export function writeMidi(performance: NoteSequence): Uint8Array {
  const scale = TICKS_PER_BEAT / performance.ticksPerBeat;
  const at = (tick: number) => Math.round(tick * scale);
  const conductor: ConductorEvent[] = [];
  const meta = (tick: number, type: number, data: number[]) =>
    conductor.push({ tick: at(tick), bytes: [0xff, type, data.length, ...data] });
  for (const { tick, numerator, denominator } of performance.metres) {
    meta(tick, 0x58, [numerator, Math.round(Math.log2(denominator)), 24, 8]);
  }
  for (const { tick, fifths, minor } of performance.keys) meta(tick, 0x59, [fifths & 0xff, minor ? 1 : 0]);
  for (const { tick, microsecondsPerBeat } of performance.tempos) {
    const us = Math.min(LONGEST_BEAT, Math.round(microsecondsPerBeat));
    meta(tick, 0x51, [(us >> 16) & 0xff, (us >> 8) & 0xff, us & 0xff]);
  }

  const tracks = [conductorTrack(conductor)];
  let pitched = 0;
  for (const part of performance.parts) {
    const channel = part.drum ? 9 : [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15][pitched++ % 15];
    tracks.push(partTrack(part, channel, scale));
  }
  const header = [
    0x4d,
    0x54,
    0x68,
    0x64,
    0,
    0,
    0,
    6,
    0,
    1,
    tracks.length >> 8,
    tracks.length & 0xff,
    TICKS_PER_BEAT >> 8,
    TICKS_PER_BEAT & 0xff,
  ];
  const size = header.length + tracks.reduce((sum, bytes) => sum + bytes.length, 0);
  const file = new Uint8Array(size);
  file.set(header);
  let offset = header.length;
  for (const bytes of tracks) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

/** Sorting is stable: of one tick, metre, key and tempo keep this order. */
function conductorTrack(events: ConductorEvent[]): Uint8Array {
  events.sort((a, b) => a.tick - b.tick);
  const track = new TrackChunk(events.reduce((sum, { bytes }) => sum + LONGEST_QUANTITY + bytes.length, 0));
  for (const { tick, bytes } of events) {
    track.moveTo(tick);
    for (const byte of bytes) track.push(byte);
  }
  return track.close();
}

/** Beginnings are in order already, so only the ends are sorted; of one tick ends come first, or they would cut a repeated note. */
function partTrack({ notes }: Part, channel: number, scale: number): Uint8Array {
  const ends = new Float64Array(notes.length);
  const byEnd = new Uint32Array(notes.length);
  for (let i = 0; i < notes.length; i++) {
    const { start, duration } = notes[i];
    ends[i] = Math.max(Math.round(start * scale) + 1, Math.round((start + duration) * scale));
    byEnd[i] = i;
  }
  // Most notes end in the order in which they begin.
  if (!ascends(ends)) byEnd.sort((a, b) => ends[a] - ends[b] || a - b);

  // At most a program change, a beginning and an end each.
  const track = new TrackChunk(notes.length * (3 * LONGEST_QUANTITY + 8));
  let ended = 0;
  const endUntil = (tick: number) => {
    for (; ended < notes.length && ends[byEnd[ended]] <= tick; ended++) {
      track.moveTo(ends[byEnd[ended]]);
      track.push(0x80 | channel);
      track.push(notes[byEnd[ended]].pitch);
      track.push(0);
    }
  };
  let program = -1;
  for (const note of notes) {
    const start = Math.round(note.start * scale);
    endUntil(start);
    if (note.program !== program) {
      // The first program is there from the beginning.
      track.moveTo(program < 0 ? 0 : start);
      program = note.program;
      track.push(0xc0 | channel);
      track.push(program);
    }
    track.moveTo(start);
    track.push(0x90 | channel);
    track.push(note.pitch);
    track.push(VELOCITY);
  }
  endUntil(Number.POSITIVE_INFINITY);
  return track.close();
}

function ascends(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] < values[i - 1]) return false;
  return true;
}

/** An MTrk chunk of at most so many bytes, while it is written. */
class TrackChunk {
  readonly #bytes: Uint8Array;
  #length = 8;
  #tick = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(8 + capacity + 4);
    this.#bytes.set([0x4d, 0x54, 0x72, 0x6b]);
  }

  push(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  /** The time until the next event, as MIDI's variable-length quantity: seven bits a byte, most significant first. */
  moveTo(tick: number): void {
    const delta = tick - this.#tick;
    this.#tick = tick;
    if (delta >= 0x200000) this.push(((delta >>> 21) & 0x7f) | 0x80);
    if (delta >= 0x4000) this.push(((delta >>> 14) & 0x7f) | 0x80);
    if (delta >= 0x80) this.push(((delta >>> 7) & 0x7f) | 0x80);
    this.push(delta & 0x7f);
  }

  /** With the event that ends a track, and its length. */
  close(): Uint8Array {
    for (const byte of [0, 0xff, 0x2f, 0]) this.push(byte);
    new DataView(this.#bytes.buffer).setUint32(4, this.#length - 8);
    return this.#bytes.subarray(0, this.#length);
  }
}
