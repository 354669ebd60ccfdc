/**
 * Where the events of a track begin and end, without their meaning. The reader asks it where damage leaves a choice:
 * which of two readings is followed by whole events?
 *
 * @see Standard MIDI Files 1.0 (RP-001), "Track Chunks" and "Variable-Length Quantity"
 */
import {
  CHANNEL_PRESSURE,
  MAX_QUANTITY_BYTES,
  META,
  META_END_OF_TRACK,
  NOTE_ON,
  PROGRAM_CHANGE,
  STATUS_BIT,
  SYSEX,
  SYSEX_CONTINUATION,
} from './midi-format.ts';

/** Some programs fill quantities up with zeros in front: so many bytes are skipped. */
const MAX_PADDING = 4;
const PADDING = 0x80;
/** Whole events that decide between two readings. */
const EVENTS_AHEAD = 6;

/**
 * Finds the end of a variable-length quantity: seven bits a byte, most significant first; the last byte has no
 * STATUS_BIT. Zeros in front do not count as bytes of it.
 *
 * @returns the offset after it, at most `end`; −1 if it has more bytes than the specification allows
 */
export function endOfQuantity(bytes: Uint8Array, from: number, end: number): number {
  let first = from;
  while (first < from + MAX_PADDING && bytes[first] === PADDING) first++;
  for (let at = first; at < first + MAX_QUANTITY_BYTES && at < end; at++) if (bytes[at] < STATUS_BIT) return at + 1;
  return first + MAX_QUANTITY_BYTES >= end ? Math.max(from, end) : -1;
}

/** The value of the variable-length quantity in bytes from…to−1. */
export function quantity(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 128 + (bytes[at] & 0x7f);
  return value;
}

/** The number of data bytes of a channel message, 1 or 2. `status` is its status byte, 0x80 to 0xef. */
export function dataBytesOf(status: number): number {
  const kind = status & 0xf0;
  return kind === PROGRAM_CHANGE || kind === CHANNEL_PRESSURE ? 1 : 2;
}

/** Steps over whole events. */
class FrameScanner {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;
  /** the running status; 0 if there is none */
  status: number;
  /** whether a note-on with a velocity was passed */
  sounds = false;
  /** whether the last event was an end of track */
  ended = false;
  /** whether all data bytes of the last event were below 128 */
  clean = true;

  constructor(bytes: Uint8Array, at: number, end: number, status: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.at = at;
    this.status = status;
  }

  /** Steps over a delta time. Returns false if no event can follow. */
  delta(): boolean {
    const after = endOfQuantity(this.#bytes, this.at, this.#end);
    if (after < 0 || after >= this.#end) return false;
    this.at = after;
    return true;
  }

  /** Steps over an event. Returns false if it is not whole. */
  event(): boolean {
    const bytes = this.#bytes;
    const byte = bytes[this.at];
    this.ended = false;
    this.clean = true;
    if (byte >= SYSEX) return byte === META || byte === SYSEX || byte === SYSEX_CONTINUATION ? this.#long(byte) : false;
    if (byte >= STATUS_BIT) {
      this.status = byte;
      this.at++;
    } else if (this.status === 0) return false;
    const after = this.at + dataBytesOf(this.status);
    if (after > this.#end) return false;
    for (let at = this.at; at < after; at++) this.clean &&= bytes[at] < STATUS_BIT;
    this.sounds ||= (this.status & 0xf0) === NOTE_ON && bytes[after - 1] > 0;
    this.at = after;
    return true;
  }

  /** Steps over a meta event or a system exclusive event. */
  #long(status: number): boolean {
    const lengthAt = this.at + (status === META ? 2 : 1);
    if (status === META && !(this.#bytes[this.at + 1] < STATUS_BIT)) return false;
    const dataAt = endOfQuantity(this.#bytes, lengthAt, this.#end);
    if (dataAt < 0) return false;
    const after = dataAt + quantity(this.#bytes, lengthAt, dataAt);
    if (after > this.#end) return false;
    this.ended = status === META && this.#bytes[this.at + 1] === META_END_OF_TRACK;
    this.at = after;
    return true;
  }
}

/**
 * Counts the clean events, with all data bytes below 128, among the next six, up to the first that is not whole. What
 * follows the end of the track counts as clean.
 *
 * @param withDelta whether a delta time stands before the first event
 * @param status the running status
 */
export function cleanEvents(bytes: Uint8Array, at: number, end: number, status: number, withDelta: boolean): number {
  const scanner = new FrameScanner(bytes, at, end, status);
  let clean = 0;
  for (let events = 0; events < EVENTS_AHEAD; events++) {
    if (scanner.at >= end || scanner.ended) return clean + EVENTS_AHEAD - events;
    if ((events > 0 || withDelta) && !scanner.delta()) return clean;
    if (!scanner.event()) return clean;
    if (scanner.clean) clean++;
    // A reading of the status byte itself must begin with a clean event.
    else if (events === 0 && !withDelta) return 0;
  }
  return clean;
}

/** Whether a range consists of whole events, begins with a status byte and has a note. */
export function isMusic(bytes: Uint8Array, from: number, end: number): boolean {
  const scanner = new FrameScanner(bytes, from, end, 0);
  while (scanner.at < end) if (!(scanner.delta() && scanner.event() && scanner.clean)) return false;
  return scanner.sounds;
}
