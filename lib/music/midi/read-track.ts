/**
 * Reads the events of one MTrk chunk: delta times, running status, channel messages, meta events, system exclusive
 * events.
 *
 * Damage is repaired where the rest of the track can still be read, and the repair is added to `warnings`.
 *
 * @see Standard MIDI Files 1.0 (RP-001), "Track Chunks"; MIDI 1.0 Detailed Specification, "Data Format"
 */
import type { KeyChange, MetreChange, PlayedNote, TempoChange } from '../model/index.ts';
import {
  CHANNEL_PRESSURE,
  CHANNELS,
  MAX_QUANTITY_BYTES,
  META,
  META_END_OF_TRACK,
  META_KEY_SIGNATURE,
  META_TEMPO,
  META_TIME_SIGNATURE,
  MTC_QUARTER_FRAME,
  NOTE_OFF,
  NOTE_ON,
  PITCHES,
  PROGRAM_CHANGE,
  SONG_POSITION,
  SONG_SELECT,
  STATUS_BIT,
  SYSEX,
  SYSEX_CONTINUATION,
} from './midi-format.ts';
import type { SoundingNotes } from './sounding-notes.ts';

/** Denominators up to 64 (2⁶) are accepted. */
const MAX_DENOMINATOR_EXPONENT = 6;

/** A program change of one channel. */
export interface ProgramChange {
  tick: number;
  program: number;
}

/** The music of one track. `parts` and `programs` have an entry for each channel, undefined where it has none. */
export interface Track {
  parts: (PlayedNote[] | undefined)[];
  programs: (ProgramChange[] | undefined)[];
  tempos: TempoChange[];
  metres: MetreChange[];
  keys: KeyChange[];
  /** slots (see SoundingNotes) of notes without a note-off */
  unended: Set<number>;
  /** in ticks */
  end: number;
}

/** The bytes of one track chunk, and the objects that its reader shares with other tracks. */
export interface TrackSource {
  bytes: Uint8Array;
  /** offset of the first event */
  from: number;
  /** offset after the chunk */
  end: number;
  /** the track's name in warnings */
  label: string;
  /** repairs are added here */
  warnings: string[];
  /** empty before and after a track is read */
  sounding: SoundingNotes;
}

/**
 * Reads one track.
 *
 * @param restruck slots in which a note-on first ends all sounding notes, because some of their note-offs are missing
 */
export function readTrack(source: TrackSource, restruck?: Set<number>): Track {
  return new TrackReader(source, restruck).read();
}

class TrackReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #label: string;
  readonly #warnings: string[];
  readonly #sounding: SoundingNotes;
  readonly #restruck: Set<number> | undefined;
  readonly #track: Track = {
    parts: new Array(CHANNELS).fill(undefined),
    programs: new Array(CHANNELS).fill(undefined),
    tempos: [],
    metres: [],
    keys: [],
    unended: new Set(),
    end: 0,
  };
  /** offset of the next byte */
  #at: number;
  #tick = 0;
  /** the last status byte of a channel message; 0 before the first */
  #runningStatus = 0;
  /** stray bytes and messages that were skipped */
  #skipped = 0;

  constructor({ bytes, from, end, label, warnings, sounding }: TrackSource, restruck: Set<number> | undefined) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
    this.#label = label;
    this.#warnings = warnings;
    this.#sounding = sounding;
    this.#restruck = restruck;
  }

  read(): Track {
    while (this.#at < this.#end && this.#readDeltaTime() && this.#readEvent());
    if (this.#skipped > 0) this.#warn(`${this.#skipped} stray bytes or messages were passed over`);
    this.#track.end = this.#tick;
    this.#track.unended = this.#sounding.endAll(this.#tick);
    return this.#track;
  }

  #warn(message: string): void {
    this.#warnings.push(`${this.#label}: ${message}`);
  }

  /** Advances the time. Returns false if no event can follow. */
  #readDeltaTime(): boolean {
    const after = endOfQuantity(this.#bytes, this.#at, this.#end);
    if (after < 0) {
      const place = this.#at + MAX_QUANTITY_BYTES;
      this.#warn(`a delta time has more than 4 bytes, at byte ${place}; the rest of the track was left out`);
      return false;
    }
    if (after >= this.#end) return false;
    this.#tick += quantity(this.#bytes, this.#at, after);
    this.#at = after;
    return true;
  }

  /**
   * Reads one event. A data byte where a status byte could be repeats the last channel message's status (running
   * status).
   *
   * Meta and system events do not clear the running status here, although the specification says that they do.
   *
   * @returns false if the track ends with this event
   */
  #readEvent(): boolean {
    const byte = this.#bytes[this.#at];
    if (byte < STATUS_BIT) {
      if (this.#runningStatus !== 0) return this.#readChannelMessage();
      this.#at++;
      this.#skipped++;
      return true;
    }
    if (byte < SYSEX) {
      this.#runningStatus = byte;
      this.#at++;
      return this.#readChannelMessage();
    }
    if (byte === META) return this.#readMetaEvent();
    if (byte === SYSEX || byte === SYSEX_CONTINUATION) return this.#skipSysex();
    this.#skipSystemMessage(byte);
    return true;
  }

  #readChannelMessage(): boolean {
    const kind = this.#runningStatus & 0xf0;
    const channel = this.#runningStatus & 0x0f;
    if (kind === PROGRAM_CHANGE || kind === CHANNEL_PRESSURE) return this.#readProgramOrPressure(kind, channel);
    if (this.#at + 1 >= this.#end) {
      this.#warn('cut short within an event');
      return false;
    }
    const first = this.#bytes[this.#at];
    const second = this.#bytes[this.#at + 1];
    if ((first | second) >= STATUS_BIT) {
      // A status byte stands in the place of data: continue with it.
      if (first < STATUS_BIT) this.#at++;
      this.#skipped++;
      return true;
    }
    this.#at += 2;
    if (kind === NOTE_ON && second > 0) this.#beginNote(channel, first);
    else if (kind === NOTE_ON || kind === NOTE_OFF) this.#sounding.end(channel * PITCHES + first, this.#tick);
    return true;
  }

  /** The two channel messages that have one data byte. */
  #readProgramOrPressure(kind: number, channel: number): boolean {
    if (this.#at >= this.#end) return false;
    const value = this.#bytes[this.#at];
    if (value >= STATUS_BIT) {
      this.#skipped++;
      return true;
    }
    this.#at++;
    if (kind === PROGRAM_CHANGE) (this.#track.programs[channel] ??= []).push({ tick: this.#tick, program: value });
    return true;
  }

  #beginNote(channel: number, pitch: number): void {
    const slot = channel * PITCHES + pitch;
    if (this.#restruck?.has(slot)) while (this.#sounding.end(slot, this.#tick));
    const note: PlayedNote = { start: this.#tick, duration: 0, pitch, program: 0 };
    (this.#track.parts[channel] ??= []).push(note);
    this.#sounding.begin(slot, note);
  }

  #readMetaEvent(): boolean {
    const type = this.#bytes[this.#at + 1];
    const lengthAt = this.#at + 2;
    const dataAt = endOfQuantity(this.#bytes, lengthAt, this.#end);
    const length = quantity(this.#bytes, lengthAt, dataAt);
    if (dataAt < 0 || dataAt + length > this.#end) {
      if (type !== META_END_OF_TRACK) this.#warn('cut short within an event');
      return false;
    }
    if (type === META_END_OF_TRACK) return false;
    if (type === META_TEMPO) this.#readTempo(dataAt, length);
    else if (type === META_TIME_SIGNATURE) this.#readTimeSignature(dataAt, length);
    else if (type === META_KEY_SIGNATURE) this.#readKeySignature(dataAt, length);
    this.#at = dataAt + length;
    return true;
  }

  #readTempo(at: number, length: number): void {
    if (length < 3) return;
    const microsecondsPerBeat = this.#bytes[at] * 65536 + this.#bytes[at + 1] * 256 + this.#bytes[at + 2];
    if (microsecondsPerBeat > 0) this.#track.tempos.push({ tick: this.#tick, microsecondsPerBeat });
  }

  #readTimeSignature(at: number, length: number): void {
    if (length < 2) return;
    const numerator = this.#bytes[at];
    const exponent = this.#bytes[at + 1];
    if (numerator > 0 && exponent <= MAX_DENOMINATOR_EXPONENT) {
      this.#track.metres.push({ tick: this.#tick, numerator, denominator: 2 ** exponent });
    }
  }

  #readKeySignature(at: number, length: number): void {
    if (length < 2) return;
    const fifths = (this.#bytes[at] << 24) >> 24;
    const minor = this.#bytes[at + 1];
    if (fifths >= -7 && fifths <= 7 && minor <= 1) {
      this.#track.keys.push({ tick: this.#tick, fifths, minor: minor === 1 });
    }
  }

  #skipSysex(): boolean {
    const lengthAt = this.#at + 1;
    const dataAt = endOfQuantity(this.#bytes, lengthAt, this.#end);
    const next = dataAt + quantity(this.#bytes, lengthAt, dataAt);
    if (dataAt < 0 || next > this.#end) {
      this.#warn('cut short within a system exclusive message');
      return false;
    }
    this.#at = next;
    return true;
  }

  /** System common and real-time messages do not belong in a file. Their lengths are known, so the rest can be read. */
  #skipSystemMessage(status: number): void {
    this.#at += status === SONG_POSITION ? 3 : status === MTC_QUARTER_FRAME || status === SONG_SELECT ? 2 : 1;
    this.#skipped++;
  }
}

/**
 * Finds the end of a variable-length quantity: seven bits a byte, most significant first; the last byte has no
 * STATUS_BIT.
 *
 * @returns the offset after it, at most `end`; −1 if it has more bytes than the specification allows
 * @see Standard MIDI Files 1.0 (RP-001), "Variable-Length Quantity"
 */
function endOfQuantity(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < from + MAX_QUANTITY_BYTES && at < end; at++) if (bytes[at] < 0x80) return at + 1;
  return from + MAX_QUANTITY_BYTES >= end ? Math.max(from, end) : -1;
}

/** The value of the variable-length quantity in bytes from…to−1. */
function quantity(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 128 + (bytes[at] & 0x7f);
  return value;
}
