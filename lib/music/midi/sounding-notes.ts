/**
 * Pairs note-ons with note-offs: the notes of one track that have begun and not yet ended.
 *
 * A slot is channel · 128 + pitch. Notes of one slot end in the order in which they began (first in, first out).
 */
import type { PlayedNote } from '../model/index.ts';
import { CHANNELS, PITCHES } from './midi-format.ts';

/** The sounding notes of a track, by channel and pitch. */
export class SoundingNotes {
  readonly #first: (PlayedNote | undefined)[] = new Array(CHANNELS * PITCHES).fill(undefined);
  /**
   * By slot, the notes that began while the first sounded. `taken` of them have become first: a queue without shifts.
   */
  readonly #later = new Map<number, { notes: PlayedNote[]; taken: number }>();
  #size = 0;

  /** Adds a note that begins. */
  begin(slot: number, note: PlayedNote): void {
    this.#size++;
    if (this.#first[slot] === undefined) {
      this.#first[slot] = note;
      return;
    }
    const queue = this.#later.get(slot);
    if (queue === undefined) this.#later.set(slot, { notes: [note], taken: 0 });
    else queue.notes.push(note);
  }

  /**
   * Ends the earliest note of a slot by setting its duration.
   *
   * @returns the note; undefined if none was sounding there
   */
  end(slot: number, tick: number): PlayedNote | undefined {
    const note = this.#first[slot];
    if (note === undefined) return undefined;
    this.#size--;
    note.duration = tick - note.start;
    this.#first[slot] = this.#later.size === 0 ? undefined : this.#takeNext(slot);
    return note;
  }

  /** Ends all notes of a channel that began before this tick. */
  endChannel(channel: number, tick: number): void {
    for (let slot = channel * PITCHES; this.#size > 0 && slot < (channel + 1) * PITCHES; slot++) {
      for (let note = this.#first[slot]; note !== undefined && note.start < tick; note = this.#first[slot]) {
        this.end(slot, tick);
      }
    }
  }

  /** Ends all notes, and calls `visit` with each and its slot. */
  endAll(tick: number, visit: (slot: number, note: PlayedNote) => void): void {
    for (let slot = 0; this.#size > 0; slot++) {
      for (let note = this.end(slot, tick); note !== undefined; note = this.end(slot, tick)) visit(slot, note);
    }
  }

  #takeNext(slot: number): PlayedNote | undefined {
    const queue = this.#later.get(slot);
    if (queue === undefined) return undefined;
    const note = queue.notes[queue.taken++];
    if (queue.taken === queue.notes.length) this.#later.delete(slot);
    return note;
  }
}
