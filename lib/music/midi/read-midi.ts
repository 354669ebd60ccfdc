/**
 * Reads Standard MIDI Files into a NoteSequence: notes, programs, tempos, metres and keys. Tolerates the damage that
 * files found on the web have.
 *
 * The tracks of format 0 and 1 are simultaneous. The patterns of format 2 are played one after another. These are
 * repaired, each with a warning: bytes and wrappers before the header, unknown chunks, wrong lengths and track counts,
 * stray bytes, data bytes over 127, events after an end of track, notes without a note-off, notes far behind the music.
 * Other damage throws a MusicError. Velocities, pitch bends, text, and all controllers but bank selects and
 * all-notes-off (the pedal too) are not read.
 *
 * Note-ons and note-offs are paired first in, first out for each track, channel and pitch, as most readers do. If a
 * pitch has fewer note-offs than note-ons, each note-on ends the note before it: one lost note-off must not lengthen
 * all later notes.
 *
 * Chunks are read here, the events of a track in read-track.ts.
 *
 * @see Standard MIDI Files 1.0 (RP-001), "Chunks", "Header Chunks" and "MIDI File Formats 0, 1 and 2"
 */
import { MusicError, type NoteSequence, type Part, type PlayedNote } from '../model/index.ts';
import { drumChanges, type ProgramChange } from './drum-channels.ts';
import { repairFarNotes } from './far-notes.ts';
import { capHangingNotes, endElsewhere, endsInOtherTracks } from './hanging-notes.ts';
import { agreeOnKeys } from './key-signatures.ts';
import { CHUNK_HEADER_BYTES, DRUM_CHANNEL, HEADER_BYTES, META, META_END_OF_TRACK, MTHD, MTRK } from './midi-format.ts';
import { readTrack, type Track, type TrackSource } from './read-track.ts';
import { SoundingNotes } from './sounding-notes.ts';

/** The first byte of both chunk names. */
const LETTER_M = 0x4d;
/** The event that ends a track, without its delta time. */
const END_OF_TRACK = Buffer.from([META, META_END_OF_TRACK, 0]);
/** Beats of a second if time is counted in SMPTE frames: MIDI's default tempo. */
const BEATS_PER_SECOND = 2;

interface Header {
  format: number;
  declaredTracks: number;
  ticksPerBeat: number;
  /** whether time is counted in SMPTE frames instead of beats */
  smpte: boolean;
  /** offset of the first track chunk */
  end: number;
}

/**
 * Reads a MIDI file.
 *
 * @returns the music, and a sentence for each repair
 * @throws MusicError if the bytes are not a MIDI file, or have no track or no ticks per beat
 */
export function readMidi(bytes: Uint8Array): { sequence: NoteSequence; warnings: string[] } {
  const warnings: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view, warnings);
  const chunks = readTracks(bytes, view, header, warnings);
  if (chunks.length === 0) throw new MusicError('the file has no track');
  const tracks = endHangingNotes(chunks, header);
  if (tracks.length !== header.declaredTracks) {
    warnings.push(`the header announces ${header.declaredTracks} tracks, the file has ${tracks.length}`);
  }
  if (header.format === 2) concatenate(tracks);
  const sequence = combineTracks(tracks, header.ticksPerBeat);
  if (header.smpte) sequence.tempos = [];
  warnings.push(...repairFarNotes(sequence));
  return { sequence, warnings };
}

function readHeader(view: DataView, warnings: string[]): Header {
  if (view.byteLength === 0) throw new MusicError('the file is empty');
  const at = findChunk(view, 0, MTHD);
  if (at < 0) throw new MusicError('this is not a MIDI file: it has no MThd header');
  if (at > 0) warnings.push(`${at} bytes before the MIDI header were passed over`);
  const content = at + CHUNK_HEADER_BYTES;
  if (content + HEADER_BYTES > view.byteLength) throw new MusicError('the MIDI header is cut short');
  const length = view.getUint32(at + 4);
  const format = view.getUint16(content);
  const declaredTracks = view.getUint16(content + 2);
  const division = view.getUint16(content + 4);
  if (length < HEADER_BYTES)
    throw new MusicError(`the MIDI header says it is ${length} bytes long; it must be at least ${HEADER_BYTES}`);
  if (format > 2) warnings.push(`format ${format} does not exist; read as format 1`);
  const smpte = (division & 0x8000) !== 0;
  const ticksPerBeat = smpte ? smpteTicksPerSecond(division) / BEATS_PER_SECOND : division;
  if (!(ticksPerBeat > 0)) throw new MusicError('the header gives no ticks per beat, so durations are undefined');
  if (smpte) warnings.push('time is counted in SMPTE frames; read as 120 beats a minute');
  return { format, declaredTracks, ticksPerBeat, smpte, end: content + length };
}

/**
 * The upper byte of the division is the negative frame rate, the lower one the ticks of a frame; 29 means 29.97 frames.
 */
function smpteTicksPerSecond(division: number): number {
  const frames = 256 - (division >> 8);
  return (frames === 29 ? 30 / 1.001 : frames) * (division & 0xff);
}

/** The first offset at or after `from` where this chunk name stands, or −1. */
function findChunk(view: DataView, from: number, name: number): number {
  for (let i = from; i + CHUNK_HEADER_BYTES <= view.byteLength; i++) {
    if (view.getUint8(i) === LETTER_M && view.getUint32(i) === name) return i;
  }
  return -1;
}

/** Whether a chunk can begin here: four printable characters, or the end of the file. */
function chunkMayBegin(view: DataView, at: number): boolean {
  if (at === view.byteLength) return true;
  if (at + CHUNK_HEADER_BYTES > view.byteLength) return false;
  for (let i = at; i < at + 4; i++) {
    const byte = view.getUint8(i);
    if (byte < 0x20 || byte > 0x7e) return false;
  }
  return true;
}

/** A track chunk as it was read first, and where it can be read again. */
interface TrackChunk {
  source: TrackSource;
  track: Track;
}

function readTracks(bytes: Uint8Array, view: DataView, header: Header, warnings: string[]): TrackChunk[] {
  const tracks: TrackChunk[] = [];
  const sounding = new SoundingNotes();
  let at = header.end;
  if (at + CHUNK_HEADER_BYTES <= bytes.length && !chunkMayBegin(view, at)) at = Math.max(findChunk(view, 0, MTRK), 0);
  while (at + CHUNK_HEADER_BYTES <= bytes.length) {
    if (tracks.length >= header.declaredTracks && tracks.length > 0 && !isFurtherTrack(view, at, tracks)) {
      if (findChunk(view, at, MTRK) >= 0) {
        warnings.push(`${bytes.length - at} bytes after the last announced track were passed over`);
      }
      break;
    }
    const label = `track ${tracks.length + 1}`;
    if (!chunkMayBegin(view, at)) {
      const next = findChunk(view, at, MTRK);
      if (next < 0) break;
      warnings.push(`${next - at} bytes before ${label} were passed over`);
      at = next;
    }
    const name = view.getUint32(at);
    const content = at + CHUNK_HEADER_BYTES;
    const end = endOfChunk(view, at, name === MTRK ? label : undefined, warnings);
    if (name === MTRK) {
      const source = { bytes, from: content, end, label, warnings, sounding };
      tracks.push({ source, track: readTrack(source) });
    } else if (name !== MTHD) warnings.push('a chunk that is not a track was passed over');
    at = end;
  }
  return tracks;
}

/**
 * Whether a chunk after the last track that the header announces belongs to the file: it is whole, and it is no copy of
 * a track. Leftovers of other files, such as the end of a disk block, are mostly cut.
 */
function isFurtherTrack(view: DataView, at: number, tracks: readonly TrackChunk[]): boolean {
  if (!chunkMayBegin(view, at)) return false;
  const from = at + CHUNK_HEADER_BYTES;
  const end = from + view.getUint32(at + 4);
  if (end > view.byteLength || !chunkMayBegin(view, end)) return false;
  if (view.getUint32(at) !== MTRK) return true;
  const content = bytesOf(view, from, end);
  return !tracks.some(({ source }) => content.equals(source.bytes.subarray(source.from, source.end)));
}

function bytesOf(view: DataView, from: number, end: number): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + from, end - from);
}

/**
 * The offset after a chunk. If no chunk can begin there and no end of track stands before it, its length is wrong, and
 * it ends at the next track or the end of the file.
 *
 * @param label the track's name in the warning; undefined for other chunks, whose lengths are corrected silently
 */
function endOfChunk(view: DataView, at: number, label: string | undefined, warnings: string[]): number {
  const content = at + CHUNK_HEADER_BYTES;
  const end = content + view.getUint32(at + 4);
  if (end <= view.byteLength && chunkMayBegin(view, end)) return end;
  const nextTrack = findChunk(view, content, MTRK);
  if (nextTrack === end) return end;
  const isWhole = end <= view.byteLength && bytesOf(view, content, end).subarray(-3).equals(END_OF_TRACK);
  if (label !== undefined && isWhole) return end;
  if (label !== undefined) {
    const readTo = nextTrack < 0 ? 'the end of the file' : 'the next track';
    warnings.push(`${label}: its length is wrong; read to ${readTo}`);
  }
  return nextTrack < 0 ? view.byteLength : nextTrack;
}

/**
 * Ends the notes that have no note-off in their track. Tracks in which some have none in the other tracks either are
 * read once more, so that note-ons of these pitches end the note before.
 */
function endHangingNotes(chunks: readonly TrackChunk[], header: Header): Track[] {
  const first = chunks.map(({ track }) => track);
  const elsewhere = first.map((track) => endsInOtherTracks(track, header.format === 2 ? [] : first));
  const tracks = chunks.map(({ source, track }, t) => {
    const slots = new Set(track.hanging.map(({ slot }) => slot).filter((slot) => !elsewhere[t].has(slot)));
    if (slots.size === 0) return track;
    source.warnings.push(
      `${source.label}: some notes of ${slots.size} pitches have no end; ended by the next note, or after a bar`,
    );
    return readTrack({ ...source, warnings: [] }, slots);
  });
  const metres = tracks.flatMap((track) => track.metres).sort(byTick);
  for (const [t, track] of tracks.entries()) {
    endElsewhere(track, elsewhere[t]);
    capHangingNotes(track, header.ticksPerBeat, metres);
  }
  return tracks;
}

/** Moves each pattern of format 2 to the end of the one before it. */
function concatenate(tracks: Track[]): void {
  let offset = 0;
  for (const track of tracks) {
    for (const notes of track.parts) for (const note of notes ?? []) note.start += offset;
    for (const changes of [...track.programs, ...track.banks, track.tempos, track.metres, track.keys, track.rhythm]) {
      for (const change of changes ?? []) change.tick += offset;
    }
    offset += track.end;
  }
}

/** Makes each channel of each track a part, and merges the changes of all tracks in order of time. */
function combineTracks(tracks: Track[], ticksPerBeat: number): NoteSequence {
  const programsOfAllTracks = (channel: number) =>
    tracks.flatMap((track) => track.programs[channel] ?? []).sort(byTick);
  const rhythm = tracks.flatMap((track) => track.rhythm);
  const soundSet = tracks.find((track) => track.soundSet !== undefined)?.soundSet;
  const parts: Part[] = [];
  for (const track of tracks) {
    for (const [channel, notes] of track.parts.entries()) {
      if (notes === undefined) continue;
      // A program change applies to its channel in all tracks, except in tracks that change the program themselves.
      const programs = track.programs[channel] ?? programsOfAllTracks(channel);
      setPrograms(notes, programs);
      // A bank takes effect with the next program change. In a file without program changes, it takes effect
      // immediately.
      const banks = programs.length > 0 ? programs : tracks.flatMap((other) => other.banks[channel] ?? []).sort(byTick);
      const changes = drumChanges(channel, banks, rhythm, soundSet);
      parts.push(...partsOf(notes, channel === DRUM_CHANNEL, changes));
    }
  }
  return {
    ticksPerBeat,
    parts,
    tempos: tracks.flatMap((track) => track.tempos).sort(byTick),
    metres: tracks.flatMap((track) => track.metres).sort(byTick),
    keys: agreeOnKeys(
      tracks.map((track) => track.keys),
      parts,
    ),
  };
}

function byTick(a: { tick: number }, b: { tick: number }): number {
  return a.tick - b.tick;
}

/** The notes of a channel as one part, or as a melodic part and drums if the channel changes between them. */
function partsOf(notes: PlayedNote[], drum: boolean, changes: { tick: number; drum: boolean }[]): Part[] {
  if (changes.length === 0) return [{ drum, notes }];
  const melody: PlayedNote[] = [];
  const drums: PlayedNote[] = [];
  let isDrum = drum;
  let next = 0;
  for (const note of notes) {
    while (next < changes.length && changes[next].tick <= note.start) isDrum = changes[next++].drum;
    (isDrum ? drums : melody).push(note);
  }
  return [
    { drum: false, notes: melody },
    { drum: true, notes: drums },
  ].filter((part) => part.notes.length > 0);
}

function setPrograms(notes: PlayedNote[], changes: ProgramChange[]): void {
  if (changes.length === 0) return;
  let next = 0;
  let program = 0;
  for (const note of notes) {
    while (next < changes.length && changes[next].tick <= note.start) program = changes[next++].program;
    note.program = program;
  }
}
