/**
 * Standard MIDI Files → Performance: notes, programs, tempos, metres and keys, of any file a crawl may contain.
 *
 * Format 0 and 1 are simultaneous tracks; the patterns of format 2 are played one after another. What can be repaired is,
 * with a warning: wrappers and leading bytes before the header, unknown chunks, wrong lengths and track counts, stray bytes,
 * notes without an end. The rest is refused with a MusicError. Velocities, controllers (the pedal too), bends and text are passed over.
 *
 * Notes are paired first in, first out for each track, channel and pitch, as most readers do; where a pitch has fewer
 * endings than beginnings, a new beginning ends the note before it, so that one lost ending does not lengthen all that follow.
 */
import { MusicError } from './errors.ts';
import type { KeyChange, MetreChange, Part, Performance, PlayedNote, TempoChange } from './performance.ts';

const MTHD = 0x4d546864;
const MTRK = 0x4d54726b;
/** The drum channel of General MIDI: "10", counted from 0. */
const DRUM_CHANNEL = 9;
/** Where SMPTE frames count time, a second is this many beats: MIDI's default tempo. */
const BEATS_PER_SECOND = 2;

interface ProgramChange {
  tick: number;
  program: number;
}

/** Everything one track says; `parts` and `programs` are by channel, 0–15. */
interface Track {
  parts: PlayedNote[][];
  programs: ProgramChange[][];
  tempos: TempoChange[];
  metres: MetreChange[];
  keys: KeyChange[];
  /** channel · 128 + pitch of notes that never end */
  unended: Set<number>;
  end: number;
}

export function readMidi(bytes: Uint8Array): { performance: Performance; warnings: string[] } {
  const warnings: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 0) throw new MusicError('the file is empty');
  const header = findChunk(view, 0, MTHD);
  if (header < 0) throw new MusicError('this is not a MIDI file: it has no MThd header');
  if (header > 0) warnings.push(`${header} bytes before the MIDI header were passed over`);
  if (header + 14 > bytes.length) throw new MusicError('the MIDI header is cut short');
  const headerLength = view.getUint32(header + 4);
  const format = view.getUint16(header + 8);
  const declaredTracks = view.getUint16(header + 10);
  const division = view.getUint16(header + 12);
  if (headerLength < 6)
    throw new MusicError(`the MIDI header says it is ${headerLength} bytes long; it must be at least 6`);
  if (format > 2) warnings.push(`format ${format} does not exist; read as format 1`);
  const smpte = (division & 0x8000) !== 0;
  const ticksPerBeat = smpte ? smpteTicksPerSecond(division) / BEATS_PER_SECOND : division;
  if (!(ticksPerBeat > 0)) throw new MusicError('the header gives no ticks to a beat, so nothing has a duration');
  if (smpte) warnings.push('time is counted in SMPTE frames; read as 120 beats a minute');

  const tracks = readTracks(bytes, view, header + 8 + headerLength, warnings);
  if (tracks.length === 0) throw new MusicError('the file has no track');
  if (tracks.length !== declaredTracks) {
    warnings.push(`the header announces ${declaredTracks} tracks, the file has ${tracks.length}`);
  }
  if (format === 2) concatenate(tracks);
  const performance = combine(tracks, ticksPerBeat);
  if (smpte) performance.tempos = [];
  return { performance, warnings };
}

function smpteTicksPerSecond(division: number): number {
  const frames = 256 - (division >> 8);
  return (frames === 29 ? 30 / 1.001 : frames) * (division & 0xff);
}

/** The first place at or after `from` where this chunk's name stands, or −1. */
function findChunk(view: DataView, from: number, name: number): number {
  for (let i = from; i + 8 <= view.byteLength; i++) {
    if (view.getUint8(i) === 0x4d && view.getUint32(i) === name) return i;
  }
  return -1;
}

/** Whether a chunk could begin here: four printable characters, or the end of the file. */
function chunkMayBegin(view: DataView, at: number): boolean {
  if (at === view.byteLength) return true;
  if (at + 8 > view.byteLength) return false;
  for (let i = at; i < at + 4; i++) {
    const byte = view.getUint8(i);
    if (byte < 0x20 || byte > 0x7e) return false;
  }
  return true;
}

function readTracks(bytes: Uint8Array, view: DataView, from: number, warnings: string[]): Track[] {
  const tracks: Track[] = [];
  let at = from;
  if (at + 8 <= bytes.length && !chunkMayBegin(view, at)) at = Math.max(findChunk(view, 0, MTRK), 0);
  while (at + 8 <= bytes.length) {
    const name = view.getUint32(at);
    const body = at + 8;
    let end = body + view.getUint32(at + 4);
    const next = end <= bytes.length && chunkMayBegin(view, end) ? end : findChunk(view, body, MTRK);
    if (next !== end) {
      end = next < 0 ? bytes.length : next;
      if (name === MTRK)
        warnings.push(
          `track ${tracks.length + 1}: its length is wrong; read to ${next < 0 ? 'the end of the file' : 'the next track'}`,
        );
    }
    if (name === MTRK) {
      const label = `track ${tracks.length + 1}`;
      let track = readTrack(bytes, body, end, label, warnings);
      if (track.unended.size > 0) {
        warnings.push(
          `${label}: some notes of ${track.unended.size} pitches have no end; ended by the next note of that pitch, or with the track`,
        );
        track = readTrack(bytes, body, end, label, [], track.unended);
      }
      tracks.push(track);
    } else if (name !== MTHD) {
      warnings.push('a chunk that is no track was passed over');
    }
    at = end;
  }
  return tracks;
}

/** Reads one track; notes of the `restruck` pitches are ended by the next beginning. */
function readTrack(
  bytes: Uint8Array,
  from: number,
  end: number,
  label: string,
  warnings: string[],
  restruck?: Set<number>,
): Track {
  const track: Track = {
    parts: Array.from({ length: 16 }, () => []),
    programs: Array.from({ length: 16 }, () => []),
    tempos: [],
    metres: [],
    keys: [],
    unended: new Set(),
    end: 0,
  };
  // Notes begun by channel · 128 + pitch, and how many of them have ended: a queue without moving anything.
  const begun: (PlayedNote[] | undefined)[] = new Array(2048);
  const ended = new Int32Array(2048);
  let at = from;
  let tick = 0;
  let status = 0;
  let stray = 0;

  const quantity = (): number => {
    let value = 0;
    for (let i = 0; i < 4 && at < end; i++) {
      const byte = bytes[at++];
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return value;
    }
    return at >= end ? value : Number.NaN;
  };

  while (at < end) {
    const delta = quantity();
    if (Number.isNaN(delta)) {
      warnings.push(`${label}: a time longer than MIDI can write, at byte ${at}; the rest of the track was left out`);
      break;
    }
    if (at >= end) break;
    tick += delta;
    if (bytes[at] >= 0x80) {
      const byte = bytes[at];
      if (byte < 0xf0) {
        status = byte;
        at++;
      } else if (byte === 0xff) {
        const type = bytes[at + 1];
        at += 2;
        const length = quantity();
        if (Number.isNaN(length) || at + length > end) {
          if (type !== 0x2f) warnings.push(`${label}: cut short within an event`);
          break;
        }
        if (type === 0x2f) break;
        readMeta(bytes, at, length, type, tick, track);
        at += length;
        continue;
      } else if (byte === 0xf0 || byte === 0xf7) {
        at++;
        const length = quantity();
        if (Number.isNaN(length) || at + length > end) {
          warnings.push(`${label}: cut short within a system exclusive message`);
          break;
        }
        at += length;
        continue;
      } else {
        // System messages have no place in a file; their data bytes are known, so the rest can be read.
        at += byte === 0xf2 ? 3 : byte === 0xf1 || byte === 0xf3 ? 2 : 1;
        stray++;
        continue;
      }
    } else if (status === 0) {
      at++;
      stray++;
      continue;
    }

    const kind = status & 0xf0;
    const channel = status & 0x0f;
    if (kind === 0xc0 || kind === 0xd0) {
      if (at >= end) break;
      const program = bytes[at];
      if (program >= 0x80) {
        stray++;
        continue;
      }
      at++;
      if (kind === 0xc0) track.programs[channel].push({ tick, program });
      continue;
    }
    if (at + 1 >= end) {
      warnings.push(`${label}: cut short within an event`);
      break;
    }
    const pitch = bytes[at];
    const velocity = bytes[at + 1];
    if ((pitch | velocity) >= 0x80) {
      // A status byte where data should be: take up from it.
      at += pitch >= 0x80 ? 0 : 1;
      stray++;
      continue;
    }
    at += 2;
    if (kind !== 0x80 && kind !== 0x90) continue;
    const key = channel * 128 + pitch;
    const queue = begun[key];
    if (kind === 0x90 && velocity > 0) {
      const note: PlayedNote = { start: tick, duration: 0, pitch, program: 0 };
      track.parts[channel].push(note);
      if (queue === undefined) {
        begun[key] = [note];
      } else {
        if (restruck?.has(key)) while (ended[key] < queue.length) endNote(queue[ended[key]++], tick);
        queue.push(note);
      }
    } else if (queue !== undefined && ended[key] < queue.length) {
      endNote(queue[ended[key]++], tick);
    }
  }
  if (stray > 0) warnings.push(`${label}: ${stray} stray bytes or messages were passed over`);
  track.end = tick;
  for (let key = 0; key < 2048; key++) {
    const queue = begun[key];
    if (queue === undefined || ended[key] === queue.length) continue;
    for (let i = ended[key]; i < queue.length; i++) endNote(queue[i], tick);
    track.unended.add(key);
  }
  return track;
}

function endNote(note: PlayedNote, tick: number): void {
  note.duration = tick - note.start;
}

function readMeta(bytes: Uint8Array, at: number, length: number, type: number, tick: number, track: Track): void {
  if (type === 0x51 && length >= 3) {
    const microsecondsPerBeat = bytes[at] * 65536 + bytes[at + 1] * 256 + bytes[at + 2];
    if (microsecondsPerBeat > 0) track.tempos.push({ tick, microsecondsPerBeat });
  } else if (type === 0x58 && length >= 2) {
    if (bytes[at] > 0 && bytes[at + 1] <= 6)
      track.metres.push({ tick, numerator: bytes[at], denominator: 2 ** bytes[at + 1] });
  } else if (type === 0x59 && length >= 2) {
    const fifths = (bytes[at] << 24) >> 24;
    if (fifths >= -7 && fifths <= 7 && bytes[at + 1] <= 1)
      track.keys.push({ tick, fifths, minor: bytes[at + 1] === 1 });
  }
}

/** Moves each track of format 2 to where the one before it ends. */
function concatenate(tracks: Track[]): void {
  let offset = 0;
  for (const track of tracks) {
    for (const notes of track.parts) for (const note of notes) note.start += offset;
    for (const changes of [...track.programs, track.tempos, track.metres, track.keys]) {
      for (const change of changes) change.tick += offset;
    }
    offset += track.end;
  }
}

function combine(tracks: Track[], ticksPerBeat: number): Performance {
  const byTick = (a: { tick: number }, b: { tick: number }) => a.tick - b.tick;
  const programs: ProgramChange[][] = Array.from({ length: 16 }, (_, channel) =>
    tracks.flatMap((track) => track.programs[channel]).sort(byTick),
  );
  const parts: Part[] = [];
  for (const track of tracks) {
    for (const [channel, notes] of track.parts.entries()) {
      if (notes.length === 0) continue;
      // A program holds for its channel in all tracks; but a track that sets its own is not overruled by another.
      const own = track.programs[channel];
      givePrograms(notes, own.length > 0 ? own : programs[channel]);
      parts.push({ drum: channel === DRUM_CHANNEL, notes });
    }
  }
  return {
    ticksPerBeat,
    parts,
    tempos: tracks.flatMap((track) => track.tempos).sort(byTick),
    metres: tracks.flatMap((track) => track.metres).sort(byTick),
    keys: tracks.flatMap((track) => track.keys).sort(byTick),
  };
}

function givePrograms(notes: PlayedNote[], changes: ProgramChange[]): void {
  if (changes.length === 0) return;
  let next = 0;
  let program = 0;
  for (const note of notes) {
    while (next < changes.length && changes[next].tick <= note.start) program = changes[next++].program;
    note.program = program;
  }
}
