/**
 * Ends notes that have no note-off in their track.
 *
 * 1. A note-off of their channel and pitch in another track, or an all-notes-off there, ends them.
 * 2. Otherwise the next note of their pitch ends them (read-track.ts), or the end of the track.
 * 3. These last at most a bar, and only to the next onset of their channel. Before, one lost note-off could let a note
 *    sound to the end of the song.
 */
import type { MetreChange, PlayedNote } from '../model/index.ts';
import { PITCHES } from './midi-format.ts';
import type { HangingNote, Track } from './read-track.ts';

/** Onsets that are nearer than this, in beats, belong to one chord. */
const CHORD_BEATS = 0.25;

/** The notes of one slot that end in other tracks, and the ticks of these ends. */
export type EndsElsewhere = Map<number, number[]>;

/**
 * Finds the ends of a track's hanging notes in the other tracks.
 *
 * @returns the slots whose hanging notes all end in other tracks
 */
export function endsInOtherTracks(track: Track, tracks: readonly Track[]): EndsElsewhere {
  const found: EndsElsewhere = new Map();
  if (track.hanging.length === 0) return found;
  for (const [slot, hanging] of bySlot(track.hanging)) {
    const channel = Math.floor(slot / PITCHES);
    const offs = tracks.flatMap((other) => (other === track ? [] : (other.orphans.get(slot) ?? []))).sort(byNumber);
    const silences = tracks.flatMap((other) => (other === track ? [] : (other.silences[channel] ?? [])));
    const ends: number[] = [];
    let next = 0;
    for (const { note } of hanging) {
      while (next < offs.length && offs[next] <= note.start) next++;
      const silence = Math.min(...silences.filter((tick) => tick > note.start));
      const end = next < offs.length ? Math.min(offs[next++], silence) : silence;
      if (!Number.isFinite(end)) break;
      ends.push(end);
    }
    if (ends.length === hanging.length) found.set(slot, ends);
  }
  return found;
}

/** Ends the notes that `endsInOtherTracks` found, and takes them off the list of hanging notes. */
export function endElsewhere(track: Track, ends: EndsElsewhere): void {
  if (ends.size === 0) return;
  for (const [slot, hanging] of bySlot(track.hanging)) {
    const ticks = ends.get(slot);
    if (ticks === undefined) continue;
    for (const [i, { note }] of hanging.entries()) note.duration = ticks[i] - note.start;
  }
  track.hanging = track.hanging.filter(({ slot }) => !ends.has(slot));
}

/** Limits hanging notes to a bar, and to the next onset of their channel. */
export function capHangingNotes(track: Track, ticksPerBeat: number, metres: readonly MetreChange[]): void {
  const onsets = new Map<number, number[]>();
  for (const { slot, note } of track.hanging) {
    const channel = Math.floor(slot / PITCHES);
    let starts = onsets.get(channel);
    if (starts === undefined) onsets.set(channel, (starts = (track.parts[channel] ?? []).map(({ start }) => start)));
    const next = firstAtOrAfter(starts, note.start + CHORD_BEATS * ticksPerBeat);
    const until = Math.min(note.start + barTicks(note, ticksPerBeat, metres), next);
    note.duration = Math.min(note.duration, until - note.start);
  }
}

/** The length of a bar in the metre at a note. */
function barTicks({ start }: PlayedNote, ticksPerBeat: number, metres: readonly MetreChange[]): number {
  const metre = metres.findLast(({ tick }) => tick <= start);
  return metre === undefined ? 4 * ticksPerBeat : (4 * ticksPerBeat * metre.numerator) / metre.denominator;
}

/** The first of ascending numbers that is at least `least`; infinite if there is none. */
function firstAtOrAfter(numbers: readonly number[], least: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < least) low = middle + 1;
    else high = middle;
  }
  return numbers[low] ?? Number.POSITIVE_INFINITY;
}

function bySlot(hanging: readonly HangingNote[]): Map<number, HangingNote[]> {
  const slots = new Map<number, HangingNote[]>();
  for (const one of hanging) {
    const slot = slots.get(one.slot);
    if (slot === undefined) slots.set(one.slot, [one]);
    else slot.push(one);
  }
  return slots;
}

function byNumber(a: number, b: number): number {
  return a - b;
}
