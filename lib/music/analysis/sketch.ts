/**
 * A sketch of a score. Similar sketches show renderings of one piece: performances at other tempos, in other rhythms
 * and keys, with some notes more, fewer or wrong.
 *
 * It is made of the outer voices: the notes without a higher note at about the same time, and those without a lower
 * one. Each run of six intervals between successive different pitches is hashed, and the smallest hashes are kept
 * (bottom-k MinHash). Time counts only in "about the same time", so that the notes of a chord may be struck one after
 * another.
 *
 * @see Broder 1997, On the resemblance and containment of documents; Cohen and Kaplan 2007, Summarizing data using
 *   bottom-k sketches
 */
import type { Score, ScoreNote } from '../model/index.ts';

/** Number of hashes in a sketch. The similarity of two sketches has a standard error of at most 0.03. */
export const SKETCH_SIZE = 256;
/** Intervals in a run. Of five, unrelated tunes share many; of seven, performances with wrong notes share few. */
const INTERVALS = 6;
/** Notes of a chord begin within this part of a quarter note. */
const CHORD_SPREAD = 1 / 16;

/**
 * Computes the sketch of a score.
 *
 * @returns hashes in ascending order, at most SKETCH_SIZE; empty for very short scores. Drums count only if nothing
 *   else sounds
 */
export function sketchOf(score: Score): Uint32Array {
  const pitched = score.voices.filter((voice) => !voice.drum);
  const notes = (pitched.length > 0 ? pitched : score.voices).flatMap((voice) => voice.notes);
  notes.sort((a, b) => a.start - b.start || a.pitch - b.pitch);
  const hashes = new Set<number>();
  for (const sign of [1, -1]) {
    const pitches = outerPitches(notes, sign, score.unitsPerBeat * CHORD_SPREAD);
    for (let i = 0; i + INTERVALS < pitches.length; i++) {
      let hash = sign === 1 ? 0x811c9dc5 : 0x2f0b4a27;
      for (let k = i; k < i + INTERVALS; k++) hash = mix(hash, sign * (pitches[k + 1] - pitches[k]));
      hashes.add(finish(hash));
    }
  }
  return Uint32Array.from(hashes).sort().slice(0, SKETCH_SIZE);
}

/**
 * The pitches of the notes without a higher note (sign 1) or lower note (sign −1) within `spread` steps, each different
 * from the one before.
 */
function outerPitches(notes: ScoreNote[], sign: number, spread: number): number[] {
  const pitches: number[] = [];
  for (const [i, note] of notes.entries()) {
    if (note.pitch === pitches.at(-1)) continue;
    let outer = true;
    for (let j = i + 1; outer && j < notes.length && notes[j].start <= note.start + spread; j++)
      outer = sign * notes[j].pitch <= sign * note.pitch;
    for (let j = i - 1; outer && j >= 0 && notes[j].start >= note.start - spread; j--)
      outer = sign * notes[j].pitch <= sign * note.pitch;
    if (outer) pitches.push(note.pitch);
  }
  return pitches;
}

/** One step of FNV-1a in 32 bits. */
function mix(hash: number, interval: number): number {
  return Math.imul(hash ^ (interval & 0xff), 0x01000193);
}

/** The last steps of MurmurHash3: without them, the smallest hashes would not be a random sample. */
function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Estimates the share of runs that two scores have in common, of all runs in either (the Jaccard index).
 *
 * @returns from 0 to 1; 0 if a sketch is empty
 */
export function sketchSimilarity(a: Uint32Array, b: Uint32Array): { similarity: number; shared: number } {
  let shared = 0;
  let union = 0;
  let i = 0;
  let j = 0;
  // The smallest hashes of the union are a random sample of it. Beyond the end of a full sketch, hashes are unknown.
  while (union < SKETCH_SIZE && (i < a.length || j < b.length)) {
    if ((i === a.length && a.length === SKETCH_SIZE) || (j === b.length && b.length === SKETCH_SIZE)) break;
    const [x, y] = [a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY];
    if (x === y) shared++;
    if (x <= y) i++;
    if (y <= x) j++;
    union++;
  }
  return { similarity: union === 0 ? 0 : shared / union, shared };
}
