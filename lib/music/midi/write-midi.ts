/**
 * Writes a NoteSequence as a Standard MIDI File of format 1: a track of tempos, metres and keys, then a track for each
 * part.
 *
 * Drums are on channel 10. The other parts take the remaining fifteen channels in turn, each with its own program
 * changes.
 *
 * @see Standard MIDI Files 1.0 (RP-001), "Header Chunks", "Track Chunks" and "Meta-Event Definitions"
 */
import type { NoteSequence, Part } from '../model/index.ts';
import {
  CHANNELS,
  CHUNK_HEADER_BYTES,
  DRUM_CHANNEL,
  HEADER_BYTES,
  MAX_QUANTITY_BYTES,
  META,
  META_END_OF_TRACK,
  META_KEY_SIGNATURE,
  META_TEMPO,
  META_TIME_SIGNATURE,
  MTHD,
  MTRK,
  NOTE_OFF,
  NOTE_ON,
  PROGRAM_CHANGE,
} from './midi-format.ts';

const FORMAT = 1;
/** 480 is divisible by the grids 16 and 32, and by 3 and 5 for tuplets. */
const TICKS_PER_BEAT = 480;
const VELOCITY = 80;
/** The largest number of three bytes, in microseconds: 3.6 beats a minute. */
const MAX_BEAT_MICROSECONDS = 0xffffff;
/** A metronome click each quarter note. */
const CLOCKS_PER_CLICK = 24;
const THIRTY_SECONDS_PER_QUARTER = 8;
const PITCHED_CHANNELS = Array.from({ length: CHANNELS }, (_, channel) => channel).filter((c) => c !== DRUM_CHANNEL);
/** A note-on or note-off has three bytes, a program change two. */
const MAX_EVENT_BYTES_PER_NOTE = 3 + 3 + 2;

interface ConductorEvent {
  tick: number;
  /** status, type, length and data */
  bytes: number[];
}

/**
 * Writes a MIDI file.
 *
 * @param sequence notes of any duration; a note sounds at least one tick of the file
 */
export function writeMidi(sequence: NoteSequence): Uint8Array {
  const scale = TICKS_PER_BEAT / sequence.ticksPerBeat;
  const tracks = [conductorTrack(conductorEvents(sequence, scale))];
  let pitched = 0;
  for (const part of sequence.parts) {
    const channel = part.drum ? DRUM_CHANNEL : PITCHED_CHANNELS[pitched++ % PITCHED_CHANNELS.length];
    tracks.push(partTrack(part, channel, scale));
  }
  return join([headerChunk(tracks.length), ...tracks]);
}

function headerChunk(tracks: number): Uint8Array {
  const chunk = new Uint8Array(CHUNK_HEADER_BYTES + HEADER_BYTES);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, MTHD);
  view.setUint32(4, HEADER_BYTES);
  view.setUint16(8, FORMAT);
  view.setUint16(10, tracks);
  view.setUint16(12, TICKS_PER_BEAT);
  return chunk;
}

function join(chunks: Uint8Array[]): Uint8Array {
  const file = new Uint8Array(chunks.reduce((sum, bytes) => sum + bytes.length, 0));
  let offset = 0;
  for (const bytes of chunks) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

/** The meta events of the sequence: first all metres, then all keys, then all tempos. */
function conductorEvents(sequence: NoteSequence, scale: number): ConductorEvent[] {
  const events: ConductorEvent[] = [];
  const addMeta = (tick: number, type: number, data: number[]) =>
    events.push({ tick: Math.round(tick * scale), bytes: [META, type, data.length, ...data] });
  for (const { tick, numerator, denominator } of sequence.metres) {
    const exponent = Math.round(Math.log2(denominator));
    addMeta(tick, META_TIME_SIGNATURE, [numerator, exponent, CLOCKS_PER_CLICK, THIRTY_SECONDS_PER_QUARTER]);
  }
  for (const { tick, fifths, minor } of sequence.keys) {
    addMeta(tick, META_KEY_SIGNATURE, [fifths & 0xff, minor ? 1 : 0]);
  }
  for (const { tick, microsecondsPerBeat } of sequence.tempos) {
    const us = Math.min(MAX_BEAT_MICROSECONDS, Math.round(microsecondsPerBeat));
    addMeta(tick, META_TEMPO, [(us >> 16) & 0xff, (us >> 8) & 0xff, us & 0xff]);
  }
  return events;
}

/** The sort is stable: at one tick, metre, key and tempo keep this order. */
function conductorTrack(events: ConductorEvent[]): Uint8Array {
  events.sort((a, b) => a.tick - b.tick);
  const track = new TrackChunk(events.reduce((sum, { bytes }) => sum + MAX_QUANTITY_BYTES + bytes.length, 0));
  for (const { tick, bytes } of events) {
    track.moveTo(tick);
    for (const byte of bytes) track.push(byte);
  }
  return track.close();
}

/**
 * A track of notes and program changes.
 *
 * Note-ons are in order already, so only note-offs are sorted. At one tick, note-offs come first: after the note-on
 * they would end a repeated note at once.
 */
function partTrack({ notes }: Part, channel: number, scale: number): Uint8Array {
  const ends = new Float64Array(notes.length);
  const byEnd = new Uint32Array(notes.length);
  for (let i = 0; i < notes.length; i++) {
    const { start, duration } = notes[i];
    ends[i] = Math.max(Math.round(start * scale) + 1, Math.round((start + duration) * scale));
    byEnd[i] = i;
  }
  // Most notes end in the order in which they begin.
  if (!isAscending(ends)) byEnd.sort((a, b) => ends[a] - ends[b] || a - b);

  const track = new TrackChunk(notes.length * (3 * MAX_QUANTITY_BYTES + MAX_EVENT_BYTES_PER_NOTE));
  let ended = 0;
  const endNotesUntil = (tick: number) => {
    for (; ended < notes.length && ends[byEnd[ended]] <= tick; ended++) {
      track.moveTo(ends[byEnd[ended]]);
      track.push(NOTE_OFF | channel);
      track.push(notes[byEnd[ended]].pitch);
      track.push(0);
    }
  };
  let program = -1;
  for (const note of notes) {
    const start = Math.round(note.start * scale);
    endNotesUntil(start);
    if (note.program !== program) {
      // The first program is set at the beginning of the track.
      track.moveTo(program < 0 ? 0 : start);
      program = note.program;
      track.push(PROGRAM_CHANGE | channel);
      track.push(program);
    }
    track.moveTo(start);
    track.push(NOTE_ON | channel);
    track.push(note.pitch);
    track.push(VELOCITY);
  }
  endNotesUntil(Number.POSITIVE_INFINITY);
  return track.close();
}

function isAscending(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] < values[i - 1]) return false;
  return true;
}

/** An MTrk chunk that is being written, in a buffer of a fixed capacity. */
class TrackChunk {
  readonly #bytes: Uint8Array;
  #length = CHUNK_HEADER_BYTES;
  #tick = 0;

  /** `capacity`: the most bytes that events will need, without the end of track */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(CHUNK_HEADER_BYTES + capacity + 4);
    new DataView(this.#bytes.buffer).setUint32(0, MTRK);
  }

  push(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  /**
   * Writes the delta time to the next event as a variable-length quantity: seven bits a byte, most significant first.
   */
  moveTo(tick: number): void {
    const delta = tick - this.#tick;
    this.#tick = tick;
    if (delta >= 0x200000) this.push(((delta >>> 21) & 0x7f) | 0x80);
    if (delta >= 0x4000) this.push(((delta >>> 14) & 0x7f) | 0x80);
    if (delta >= 0x80) this.push(((delta >>> 7) & 0x7f) | 0x80);
    this.push(delta & 0x7f);
  }

  /** Adds the end-of-track event and sets the chunk's length. */
  close(): Uint8Array {
    for (const byte of [0, META, META_END_OF_TRACK, 0]) this.push(byte);
    new DataView(this.#bytes.buffer).setUint32(4, this.#length - CHUNK_HEADER_BYTES);
    return this.#bytes.subarray(0, this.#length);
  }
}
