/**
 * Compares two MIDI files by the F1 score over their notes. They are read with the package midi-file, so that the
 * comparison does not depend on lib/music. Used by tests and by bench/music.
 *
 * Two notes match if they have the same pitch, are both drums or both not, and their onsets and durations differ by at
 * most a tolerance, by default 1/16 of a quarter note. Each note matches at most one other, by a maximum matching.
 */
import { parseMidi } from 'midi-file';

/** The properties of a note that are compared. */
export interface HeardNote {
  /** pitch, plus 128 for drums */
  key: number;
  /** in beats */
  onset: number;
  duration: number;
}

const DEFAULT_TOLERANCE = 1 / 16;
const ROUNDING = 1e-9;

/**
 * Reads the notes of all tracks, paired first in, first out. A note without a note-off lasts to the end of its track.
 */
export function hearMidi(bytes: Uint8Array): HeardNote[] {
  const { header, tracks } = parseMidi(bytes);
  const ticksPerBeat = header.ticksPerBeat ?? 480;
  const heard: HeardNote[] = [];
  for (const track of tracks) {
    const sounding = new Map<number, HeardNote[]>();
    let tick = 0;
    for (const event of track) {
      tick += event.deltaTime;
      if (event.type !== 'noteOn' && event.type !== 'noteOff') continue;
      const id = event.channel * 128 + event.noteNumber;
      if (event.type === 'noteOn' && event.velocity > 0) {
        const note = {
          key: event.noteNumber + (event.channel === 9 ? 128 : 0),
          onset: tick / ticksPerBeat,
          duration: -1,
        };
        heard.push(note);
        if (sounding.has(id)) sounding.get(id)!.push(note);
        else sounding.set(id, [note]);
      } else {
        const note = sounding.get(id)?.shift();
        if (note !== undefined) note.duration = tick / ticksPerBeat - note.onset;
      }
    }
    for (const notes of sounding.values()) for (const note of notes) note.duration = tick / ticksPerBeat - note.onset;
  }
  return heard;
}

/**
 * Computes the F1 score, 2 · matches / (notes of both). It is 1 if neither has notes.
 *
 * @param tolerance in beats
 */
export function noteF1(a: HeardNote[], b: HeardNote[], tolerance: number = DEFAULT_TOLERANCE): number {
  return a.length + b.length === 0 ? 1 : (2 * matches(a, b, tolerance + ROUNDING)) / (a.length + b.length);
}

/** Counts the matched notes. */
function matches(a: HeardNote[], b: HeardNote[], tolerance: number): number {
  const byKey = (notes: HeardNote[]) => {
    const groups = new Map<number, HeardNote[]>();
    for (const note of notes) groups.set(note.key, [...(groups.get(note.key) ?? []), note]);
    for (const group of groups.values()) group.sort((x, y) => x.onset - y.onset || x.duration - y.duration);
    return groups;
  };
  const others = byKey(b);
  let count = 0;
  for (const [key, group] of byKey(a)) count += matchGroup(group, others.get(key) ?? [], tolerance);
  return count;
}

/** Finds a maximum bipartite matching by augmenting paths. Candidates are close in time, so paths are short. */
function matchGroup(a: HeardNote[], b: HeardNote[], tolerance: number): number {
  const candidates: number[][] = [];
  let from = 0;
  for (const note of a) {
    while (from < b.length && b[from].onset < note.onset - tolerance) from++;
    const list: number[] = [];
    for (let j = from; j < b.length && b[j].onset <= note.onset + tolerance; j++) {
      if (Math.abs(b[j].duration - note.duration) <= tolerance) list.push(j);
    }
    candidates.push(list);
  }
  const holder = new Int32Array(b.length).fill(-1);
  const augment = (i: number, seen: Set<number>): boolean => {
    for (const j of candidates[i]) {
      if (seen.has(j)) continue;
      seen.add(j);
      if (holder[j] < 0 || augment(holder[j], seen)) {
        holder[j] = i;
        return true;
      }
    }
    return false;
  };
  let count = 0;
  for (let i = 0; i < a.length; i++) if (augment(i, new Set())) count++;
  return count;
}
