/**
 * Performance → Standard MIDI File, format 1: a track of tempos, metres and keys, then a track for each part.
 *
 * Drums are on channel 10; the other parts take the remaining fifteen channels in turn, each with its own program changes.
 */
import type { Performance } from './performance.ts';

/** 480 is divisible by the grid's 16 or 32 and by 3 and 5, for tuplets. */
const TICKS_PER_BEAT = 480;
const VELOCITY = 80;
/** Three bytes of microseconds: 3.6 beats a minute. */
const LONGEST_BEAT = 0xffffff;

/** Order of events of one tick: ends, settings, beginnings, so that a repeated note is not cut by the end of the one before. */
const END = 0;
const SETTING = 1;
const BEGINNING = 2;

interface TrackEvent {
  tick: number;
  order: number;
  bytes: number[];
}

export function writeMidi(performance: Performance): Uint8Array {
  const scale = TICKS_PER_BEAT / performance.ticksPerBeat;
  const at = (tick: number) => Math.round(tick * scale);
  const conductor: TrackEvent[] = [];
  const meta = (tick: number, type: number, data: number[]) =>
    conductor.push({ tick: at(tick), order: SETTING, bytes: [0xff, type, data.length, ...data] });
  for (const { tick, numerator, denominator } of performance.metres) {
    meta(tick, 0x58, [numerator, Math.round(Math.log2(denominator)), 24, 8]);
  }
  for (const { tick, fifths, minor } of performance.keys) meta(tick, 0x59, [fifths & 0xff, minor ? 1 : 0]);
  for (const { tick, microsecondsPerBeat } of performance.tempos) {
    const us = Math.min(LONGEST_BEAT, Math.round(microsecondsPerBeat));
    meta(tick, 0x51, [(us >> 16) & 0xff, (us >> 8) & 0xff, us & 0xff]);
  }

  const tracks = [track(conductor)];
  let pitched = 0;
  for (const part of performance.parts) {
    const channel = part.drum ? 9 : [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15][pitched++ % 15];
    const events: TrackEvent[] = [];
    let program = -1;
    for (const note of part.notes) {
      if (note.program !== program) {
        events.push({ tick: program < 0 ? 0 : at(note.start), order: SETTING, bytes: [0xc0 | channel, note.program] });
        program = note.program;
      }
      const start = at(note.start);
      const end = Math.max(start + 1, at(note.start + note.duration));
      events.push({ tick: start, order: BEGINNING, bytes: [0x90 | channel, note.pitch, VELOCITY] });
      events.push({ tick: end, order: END, bytes: [0x80 | channel, note.pitch, 0] });
    }
    tracks.push(track(events));
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

/** A track chunk: events in order of time, each after its delta. Sorting is stable, so that equal events keep their order. */
function track(events: TrackEvent[]): Uint8Array {
  events.sort((a, b) => a.tick - b.tick || a.order - b.order);
  const bytes = [0x4d, 0x54, 0x72, 0x6b, 0, 0, 0, 0];
  let tick = 0;
  for (const event of events) {
    pushQuantity(bytes, event.tick - tick);
    for (const byte of event.bytes) bytes.push(byte);
    tick = event.tick;
  }
  bytes.push(0, 0xff, 0x2f, 0);
  const length = bytes.length - 8;
  for (let i = 0; i < 4; i++) bytes[4 + i] = (length >>> (24 - 8 * i)) & 0xff;
  return Uint8Array.from(bytes);
}

/** MIDI's variable-length quantity: seven bits a byte, most significant first. */
function pushQuantity(bytes: number[], value: number): void {
  if (value >= 0x200000) bytes.push(((value >>> 21) & 0x7f) | 0x80);
  if (value >= 0x4000) bytes.push(((value >>> 14) & 0x7f) | 0x80);
  if (value >= 0x80) bytes.push(((value >>> 7) & 0x7f) | 0x80);
  bytes.push(value & 0x7f);
}
