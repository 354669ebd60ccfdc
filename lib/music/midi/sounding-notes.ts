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
   * @returns whether a note was sounding there
   */
  end(slot: number, tick: number): boolean {
    const note = this.#first[slot];
    if (note === undefined) return false;
    this.#size--;
    note.duration = tick - note.start;
    this.#first[slot] = this.#later.size === 0 ? undefined : this.#takeNext(slot);
    return true;
  }

  /** Ends all notes and returns their slots. */
  endAll(tick: number): Set<number> {
    const slots = new Set<number>();
    for (let slot = 0; this.#size > 0; slot++) {
      while (this.end(slot, tick)) slots.add(slot);
    }
    return slots;
  }

  #takeNext(slot: number): PlayedNote | undefined {
    const queue = this.#later.get(slot);
    if (queue === undefined) return undefined;
    const note = queue.notes[queue.taken++];
    if (queue.taken === queue.notes.length) this.#later.delete(slot);
    return note;
  }
}
