/**
 * NoteSequence → Score: every onset and duration to the grid, moved by less than one step.
 *
 * Which way a duration between two steps goes is chosen for the simpler score: to meet the next onset, else to what is
 * written without a tie, else to the nearer. What stands on the grid stays, so that a score played and read again is the same score.
 */

import {
  compareNotes,
  detectKey,
  MAX_PITCHED_VOICES,
  MusicError,
  type NoteSequence,
  type Part,
  type Score,
  type ScoreNote,
  type ScoreVoice,
} from '../model/index.ts';
import { layBars } from './bars.ts';

export const DEFAULT_GRID = 16;
const GRIDS = [1, 2, 4, 8, 16, 32];
/** Closer to a step than this is on it. */
const EXACT = 1e-9;

/** A duration that standard notation writes as one note: a power of two, plain, dotted or double-dotted. */
export function isPlainDuration(steps: number): boolean {
  const odd = steps / (steps & -steps);
  return odd === 1 || odd === 3 || odd === 7;
}

/** Throws MusicError where there is no note, and where the music is longer than bars.ts allows. */
export function quantise(sequence: NoteSequence, grid: number = DEFAULT_GRID): { score: Score; warnings: string[] } {
  if (!GRIDS.includes(grid)) {
    throw new MusicError(
      `a grid of ${grid} steps a beat cannot be written in ABC: it must be one of ${GRIDS.join(', ')}`,
    );
  }
  const warnings: string[] = [];
  const voices = joinParts(sequence.parts, warnings).map((part) => quantisePart(part, grid / sequence.ticksPerBeat));
  if (voices.length === 0) throw new MusicError('there is no note in it');
  sortVoices(voices);
  let end = 0;
  for (const voice of voices) for (const note of voice.notes) end = Math.max(end, note.start + note.duration);
  const bars = layBars(sequence, grid, end, () => detectKey(voices), warnings);
  return { score: { grid, bars, voices }, warnings };
}

/** One part for all drums; and if there are still too many, like programs together, then the smallest. */
function joinParts(parts: Part[], warnings: string[]): Part[] {
  const drums = parts.filter((part) => part.drum && part.notes.length > 0);
  const pitched = parts.filter((part) => !part.drum && part.notes.length > 0);
  const groups = pitched.map((part) => [part]);
  if (pitched.length > MAX_PITCHED_VOICES) {
    warnings.push(
      `${pitched.length} parts beside the drums were joined to ${MAX_PITCHED_VOICES}: ABC software plays no more`,
    );
    groups.sort(([a], [b]) => b.notes.length - a.notes.length);
    while (groups.length > MAX_PITCHED_VOICES) {
      const [smallest] = groups.splice(-1);
      const like = groups.findLastIndex(([part]) => part.notes[0].program === smallest[0].notes[0].program);
      groups[like < 0 ? groups.length - 1 : like].push(...smallest);
    }
  }
  if (drums.length > 0) groups.push(drums);
  return groups.map(join);
}

function join(parts: Part[]): Part {
  if (parts.length === 1) return parts[0];
  return { drum: parts[0].drum, notes: parts.flatMap((part) => part.notes).sort((a, b) => a.start - b.start) };
}

function quantisePart(part: Part, stepsPerTick: number): ScoreVoice {
  const notes: ScoreNote[] = [];
  for (const { start, duration, pitch, program } of part.notes) {
    // Durations stay in ticks until all onsets are known.
    notes.push({ start: Math.round(start * stepsPerTick), duration, pitch, program });
  }
  if (!inOrderOfStart(notes)) notes.sort((a, b) => a.start - b.start);
  for (let i = 0, j = 0; i < notes.length; i = j) {
    j = endOfOnset(notes, i);
    sortRange(notes, i, j, compareDurations);
    settleDurations(notes, i, j, stepsPerTick, j < notes.length ? notes[j].start - notes[i].start : 0);
  }
  firstInFirstOut(notes);
  for (let i = 0, j = 0; i < notes.length; i = j) {
    j = endOfOnset(notes, i);
    sortRange(notes, i, j, compareNotes);
    // A voice changes its program between onsets only.
    for (let k = i; k < j - 1; k++) notes[k].program = notes[j - 1].program;
  }
  return { drum: part.drum, notes };
}

function inOrderOfStart(notes: ScoreNote[]): boolean {
  for (let i = 1; i < notes.length; i++) if (notes[i].start < notes[i - 1].start) return false;
  return true;
}

/** Where the notes that begin with note i end. */
function endOfOnset(notes: ScoreNote[], i: number): number {
  const { start } = notes[i];
  let j = i + 1;
  while (j < notes.length && notes[j].start === start) j++;
  return j;
}

function compareDurations(a: ScoreNote, b: ScoreNote): number {
  return a.duration - b.duration;
}

/** Sorts notes i…j−1; most onsets have few, and those in order already. */
function sortRange(notes: ScoreNote[], i: number, j: number, compare: (a: ScoreNote, b: ScoreNote) => number): void {
  if (j - i > 32) {
    const sorted = notes.slice(i, j).sort(compare);
    for (let k = i; k < j; k++) notes[k] = sorted[k - i];
    return;
  }
  for (let k = i + 1; k < j; k++) {
    const note = notes[k];
    let at = k;
    for (; at > i && compare(notes[at - 1], note) > 0; at--) notes[at] = notes[at - 1];
    notes[at] = note;
  }
}

/** Turns the ticks of notes i…j−1, of one onset and in order of duration, into steps, alike where they can be. */
function settleDurations(notes: ScoreNote[], i: number, j: number, stepsPerTick: number, gap: number): void {
  while (i < j) {
    // The longest run that has a whole duration in common: its low end is its last note's floor.
    let exact = notes[i].duration * stepsPerTick;
    const high = Math.max(1, Math.ceil(exact - EXACT));
    let low = Math.max(1, Math.floor(exact + EXACT));
    let sum = exact;
    let k = i + 1;
    for (; k < j; k++) {
      exact = notes[k].duration * stepsPerTick;
      const floor = Math.max(1, Math.floor(exact + EXACT));
      if (floor > high) break;
      low = floor;
      sum += exact;
    }
    let duration = high;
    if (low < high) {
      if (gap === low || gap === high) duration = gap;
      else if (isPlainDuration(low) !== isPlainDuration(high)) duration = isPlainDuration(low) ? low : high;
      else duration = sum / (k - i) - low < 0.5 ? low : high;
    }
    for (; i < k; i++) notes[i].duration = duration;
  }
}

/**
 * Of two notes of one pitch that overlap, the first to begin is made the first to end: a channel cannot say otherwise.
 * Rounding, and joining tracks, may have turned them round.
 */
function firstInFirstOut(notes: ScoreNote[]): void {
  const last: (ScoreNote | undefined)[] = new Array(128);
  for (let turned = true, pass = 0; turned && pass < 8; pass++) {
    turned = false;
    last.fill(undefined);
    for (const note of notes) {
      const before = last[note.pitch];
      if (before !== undefined && before.start + before.duration > note.start + note.duration) {
        const end = before.start + before.duration;
        before.duration = note.start + note.duration - before.start;
        note.duration = end - note.start;
        turned = true;
      }
      last[note.pitch] = note;
    }
  }
}

/** From high to low by mean pitch, drums last; what is equal in that, by its notes. */
function sortVoices(voices: ScoreVoice[]): void {
  const means = new Map(voices.map((voice) => [voice, meanPitch(voice)]));
  voices.sort((a, b) => {
    if (a.drum !== b.drum) return a.drum ? 1 : -1;
    return means.get(b)! - means.get(a)! || compareByNotes(a, b);
  });
}

function meanPitch({ notes }: ScoreVoice): number {
  let sum = 0;
  for (const note of notes) sum += note.pitch;
  return sum / notes.length;
}

function compareByNotes(a: ScoreVoice, b: ScoreVoice): number {
  for (let i = 0; i < Math.min(a.notes.length, b.notes.length); i++) {
    const order = compareNotes(a.notes[i], b.notes[i]);
    if (order !== 0) return order;
  }
  return a.notes.length - b.notes.length;
}
