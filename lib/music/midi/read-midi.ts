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
import {
  type KeyChange,
  type MetreChange,
  MusicError,
  type NoteSequence,
  type Part,
  type PlayedNote,
  type TempoChange,
} from '../model/index.ts';

const MTHD = 0x4d546864;
const MTRK = 0x4d54726b;
/** The drum channel of General MIDI: "10", counted from 0. */
const DRUM_CHANNEL = 9;
const CHANNELS = 16;
/** A key is channel · 128 + pitch. */
const KEYS = CHANNELS * 128;
/** Where SMPTE frames count time, a second is this many beats: MIDI's default tempo. */
const BEATS_PER_SECOND = 2;

interface ProgramChange {
  tick: number;
  program: number;
}

/** Everything one track says; `parts` and `programs` are by channel, 0–15, where it has any. */
interface Track {
  parts: (PlayedNote[] | undefined)[];
  programs: (ProgramChange[] | undefined)[];
  tempos: TempoChange[];
  metres: MetreChange[];
  keys: KeyChange[];
  /** keys of notes that never end */
  unended: Set<number>;
  end: number;
}

export function readMidi(bytes: Uint8Array): { performance: NoteSequence; warnings: string[] } {
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
  const sounding = new SoundingNotes();
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
      let track = readTrack(bytes, body, end, label, warnings, sounding);
      if (track.unended.size > 0) {
        warnings.push(
          `${label}: some notes of ${track.unended.size} pitches have no end; ended by the next note of that pitch, or with the track`,
        );
        track = readTrack(bytes, body, end, label, [], sounding, track.unended);
      }
      tracks.push(track);
    } else if (name !== MTHD) {
      warnings.push('a chunk that is no track was passed over');
    }
    at = end;
  }
  return tracks;
}

/** Notes that have begun and not ended, by key; those of one end in the order in which they began. */
class SoundingNotes {
  private readonly first: (PlayedNote | undefined)[] = new Array(KEYS).fill(undefined);
  /** those that began while the first sounded, and how many of them have moved up: a queue without moving anything */
  private readonly later = new Map<number, { notes: PlayedNote[]; moved: number }>();
  private count = 0;

  begin(key: number, note: PlayedNote): void {
    this.count++;
    if (this.first[key] === undefined) {
      this.first[key] = note;
      return;
    }
    const queue = this.later.get(key);
    if (queue === undefined) this.later.set(key, { notes: [note], moved: 0 });
    else queue.notes.push(note);
  }

  /** Whether there was one to end. */
  end(key: number, tick: number): boolean {
    const note = this.first[key];
    if (note === undefined) return false;
    this.count--;
    note.duration = tick - note.start;
    this.first[key] = this.later.size === 0 ? undefined : this.moveUp(key);
    return true;
  }

  private moveUp(key: number): PlayedNote | undefined {
    const queue = this.later.get(key);
    if (queue === undefined) return undefined;
    const note = queue.notes[queue.moved++];
    if (queue.moved === queue.notes.length) this.later.delete(key);
    return note;
  }

  /** Ends all, and returns their keys. */
  endAll(tick: number): Set<number> {
    const keys = new Set<number>();
    for (let key = 0; this.count > 0; key++) {
      while (this.end(key, tick)) keys.add(key);
    }
    return keys;
  }
}

/** Where a quantity of variable length that begins at `from` ends, with the track at the latest; −1 where it is longer than MIDI can write. */
function endOfQuantity(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < from + 4 && at < end; at++) if (bytes[at] < 0x80) return at + 1;
  return from + 4 >= end ? Math.max(from, end) : -1;
}

function quantity(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 128 + (bytes[at] & 0x7f);
  return value;
}

/** Reads one track; notes of the `restruck` pitches are ended by the next beginning. No note sounds before, or after it. */
function readTrack(
  bytes: Uint8Array,
  from: number,
  end: number,
  label: string,
  warnings: string[],
  sounding: SoundingNotes,
  restruck?: Set<number>,
): Track {
  const track: Track = {
    parts: new Array(CHANNELS).fill(undefined),
    programs: new Array(CHANNELS).fill(undefined),
    tempos: [],
    metres: [],
    keys: [],
    unended: new Set(),
    end: 0,
  };
  let at = from;
  let tick = 0;
  let status = 0;
  let stray = 0;

  while (at < end) {
    const event = endOfQuantity(bytes, at, end);
    if (event < 0) {
      warnings.push(
        `${label}: a time longer than MIDI can write, at byte ${at + 4}; the rest of the track was left out`,
      );
      break;
    }
    if (event >= end) break;
    tick += quantity(bytes, at, event);
    at = event;
    const byte = bytes[at];
    if (byte >= 0x80) {
      if (byte < 0xf0) {
        status = byte;
        at++;
      } else if (byte === 0xff || byte === 0xf0 || byte === 0xf7) {
        const meta = byte === 0xff;
        const type = meta ? bytes[at + 1] : 0;
        const length = at + (meta ? 2 : 1);
        const body = endOfQuantity(bytes, length, end);
        const next = body + quantity(bytes, length, body);
        if (body < 0 || next > end) {
          if (!meta) warnings.push(`${label}: cut short within a system exclusive message`);
          else if (type !== 0x2f) warnings.push(`${label}: cut short within an event`);
          break;
        }
        if (meta && type === 0x2f) break;
        if (meta) readMeta(bytes, body, next - body, type, tick, track);
        at = next;
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
      if (kind === 0xc0) (track.programs[channel] ??= []).push({ tick, program });
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
    if (kind === 0x90 && velocity > 0) {
      if (restruck?.has(key)) while (sounding.end(key, tick));
      const note: PlayedNote = { start: tick, duration: 0, pitch, program: 0 };
      (track.parts[channel] ??= []).push(note);
      sounding.begin(key, note);
    } else {
      sounding.end(key, tick);
    }
  }
  if (stray > 0) warnings.push(`${label}: ${stray} stray bytes or messages were passed over`);
  track.end = tick;
  track.unended = sounding.endAll(tick);
  return track;
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
    for (const notes of track.parts) for (const note of notes ?? []) note.start += offset;
    for (const changes of [...track.programs, track.tempos, track.metres, track.keys]) {
      for (const change of changes ?? []) change.tick += offset;
    }
    offset += track.end;
  }
}

function combine(tracks: Track[], ticksPerBeat: number): NoteSequence {
  const byTick = (a: { tick: number }, b: { tick: number }) => a.tick - b.tick;
  const ofAllTracks = (channel: number) => tracks.flatMap((track) => track.programs[channel] ?? []).sort(byTick);
  const parts: Part[] = [];
  for (const track of tracks) {
    for (const [channel, notes] of track.parts.entries()) {
      if (notes === undefined) continue;
      // A program holds for its channel in all tracks; but a track that sets its own is not overruled by another.
      givePrograms(notes, track.programs[channel] ?? ofAllTracks(channel));
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
