/**
 * Reads the events of one MTrk chunk: delta times, running status, channel messages, meta events, system exclusive
 * events.
 *
 * Damage is repaired where the rest of the track can still be read, and the repair is added to `warnings`.
 *
 * @see Standard MIDI Files 1.0 (RP-001), "Track Chunks"; MIDI 1.0 Detailed Specification, "Data Format"
 */
import type { KeyChange, MetreChange, PlayedNote, TempoChange } from '../model/index.ts';
import { type ProgramChange, type RhythmChange, readSysex, type SoundSet } from './drum-channels.ts';
import { cleanEvents, dataBytesOf, endOfQuantity, isMusic, quantity } from './event-frames.ts';
import {
  ALL_NOTES_OFF,
  ALL_SOUND_OFF,
  BANK_SELECT,
  CHANNELS,
  CONTROL_CHANGE,
  MAX_DATA,
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

/** The messages that readSysex knows are shorter. */
const MAX_MEANING_BYTES = 16;

/** A note without a note-off in its track. */
export interface HangingNote {
  /** see SoundingNotes */
  slot: number;
  note: PlayedNote;
}

/**
 * The music of one track. `parts`, `programs`, `banks` and `silences` have an entry for each channel, undefined where it has
 * none.
 */
export interface Track {
  parts: (PlayedNote[] | undefined)[];
  programs: (ProgramChange[] | undefined)[];
  /** the bank selects, as changes to program 0 */
  banks: (ProgramChange[] | undefined)[];
  tempos: TempoChange[];
  metres: MetreChange[];
  keys: KeyChange[];
  /** notes without a note-off */
  hanging: HangingNote[];
  /** ticks of note-offs that ended no note, by slot: they may end a note of another track */
  orphans: Map<number, number[]>;
  /** ticks of all-notes-off messages */
  silences: (number[] | undefined)[];
  /** system exclusive messages that make a channel drums or melodic */
  rhythm: RhythmChange[];
  /** the set of sounds that the track asks for */
  soundSet: SoundSet | undefined;
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
    banks: new Array(CHANNELS).fill(undefined),
    tempos: [],
    metres: [],
    keys: [],
    hanging: [],
    orphans: new Map(),
    silences: new Array(CHANNELS).fill(undefined),
    rhythm: [],
    soundSet: undefined,
    end: 0,
  };
  /** offset of the next byte */
  #at: number;
  #tick = 0;
  /** the last status byte of a channel message; 0 before the first */
  #runningStatus = 0;
  /** the upper byte of the bank that each channel selected */
  readonly #banks: (number | undefined)[] = new Array(CHANNELS).fill(undefined);
  /** the beginning of a system exclusive message that has not ended */
  #sysex: Uint8Array | undefined;
  /** stray bytes and messages that were skipped */
  #skipped = 0;
  /** data bytes over 127 that were read as 127 */
  #clamped = 0;

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
    if (this.#clamped > 0) this.#warn(`${this.#clamped} data bytes over 127 were read as 127`);
    if (this.#skipped > 0) this.#warn(`${this.#skipped} stray bytes or messages were passed over`);
    this.#track.end = this.#tick;
    this.#sounding.endAll(this.#tick, (slot, note) => this.#track.hanging.push({ slot, note }));
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
    if (byte === SYSEX || byte === SYSEX_CONTINUATION) return this.#readSysex();
    this.#skipSystemMessage(byte);
    return true;
  }

  #readChannelMessage(): boolean {
    const status = this.#runningStatus;
    const channel = status & 0x0f;
    const count = dataBytesOf(status);
    if (this.#at + count > this.#end) {
      if (count > 1) this.#warn('cut short within an event');
      return false;
    }
    let first = this.#bytes[this.#at];
    let second = count > 1 ? this.#bytes[this.#at + 1] : 0;
    if ((first | second) >= STATUS_BIT) {
      if (this.#isStatus(first >= STATUS_BIT ? this.#at : this.#at + 1, this.#at + count)) return this.#resynchronise();
      this.#clamped += Number(first > MAX_DATA) + Number(second > MAX_DATA);
      first = Math.min(first, MAX_DATA);
      second = Math.min(second, MAX_DATA);
    }
    this.#at += count;
    switch (status & 0xf0) {
      case NOTE_ON:
        if (second > 0) this.#beginNote(channel, first);
        else this.#endNote(channel, first);
        break;
      case NOTE_OFF:
        this.#endNote(channel, first);
        break;
      case PROGRAM_CHANGE: {
        const change = { tick: this.#tick, program: first, bank: this.#banks[channel] };
        (this.#track.programs[channel] ??= []).push(change);
        break;
      }
      case CONTROL_CHANGE:
        this.#readController(channel, first, second);
    }
    return true;
  }

  /**
   * Whether the byte at an offset, which is over 127 in the place of data, is a status byte: data is missing before it.
   * It is data with a wrong value if at least as many clean events follow that reading. Files of the Lakh data set have
   * such values, in events that are otherwise whole.
   *
   * @param after the offset after the event if the byte is data
   */
  #isStatus(at: number, after: number): boolean {
    const end = this.#end;
    const asData = cleanEvents(this.#bytes, after, end, this.#runningStatus, true);
    return asData < cleanEvents(this.#bytes, at, end, this.#runningStatus, false);
  }

  /** Leaves out an event whose data is missing, and reads the event that begins with the next status byte. */
  #resynchronise(): boolean {
    while (this.#bytes[this.#at] < STATUS_BIT) this.#at++;
    this.#skipped++;
    return this.#readEvent();
  }

  #readController(channel: number, controller: number, value: number): void {
    if (controller === BANK_SELECT) {
      this.#banks[channel] = value;
      (this.#track.banks[channel] ??= []).push({ tick: this.#tick, program: 0, bank: value });
    }
    if (controller !== ALL_SOUND_OFF && controller < ALL_NOTES_OFF) return;
    this.#sounding.endChannel(channel, this.#tick);
    (this.#track.silences[channel] ??= []).push(this.#tick);
  }

  #endNote(channel: number, pitch: number): void {
    const slot = channel * PITCHES + pitch;
    if (this.#sounding.end(slot, this.#tick) !== undefined) return;
    const orphans = this.#track.orphans.get(slot);
    if (orphans === undefined) this.#track.orphans.set(slot, [this.#tick]);
    else orphans.push(this.#tick);
  }

  #beginNote(channel: number, pitch: number): void {
    const slot = channel * PITCHES + pitch;
    if (this.#restruck?.has(slot)) {
      for (let struck = this.#sounding.end(slot, this.#tick); struck; struck = this.#sounding.end(slot, this.#tick)) {
        this.#track.hanging.push({ slot, note: struck });
      }
    }
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
    if (type === META_END_OF_TRACK) {
      if (!isMusic(this.#bytes, dataAt + length, this.#end)) return false;
      this.#warn('events after its end of track were read');
    }
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
      this.#track.metres.push({ tick: this.#tick, numerator, denominator: 1 << exponent });
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

  #readSysex(): boolean {
    const lengthAt = this.#at + 1;
    const dataAt = endOfQuantity(this.#bytes, lengthAt, this.#end);
    const next = dataAt + quantity(this.#bytes, lengthAt, dataAt);
    if (dataAt < 0 || next > this.#end) {
      this.#warn('cut short within a system exclusive message');
      return false;
    }
    // A message that does not end with F7 may go on in events that begin with F7.
    const begun = this.#bytes[this.#at] === SYSEX ? [] : this.#sysex;
    const packet = this.#bytes.subarray(dataAt, Math.min(next, dataAt + MAX_MEANING_BYTES));
    const message = begun && Uint8Array.from([...begun, ...packet].slice(0, MAX_MEANING_BYTES));
    const meaning = message && readSysex(message, 0);
    this.#sysex = meaning === undefined && this.#bytes[next - 1] !== SYSEX_CONTINUATION ? message : undefined;
    if (meaning !== undefined) {
      if ('soundSet' in meaning) this.#track.soundSet = meaning.soundSet;
      else this.#track.rhythm.push({ tick: this.#tick, ...meaning });
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
