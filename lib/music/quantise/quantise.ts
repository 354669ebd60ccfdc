/**
 * Quantises a NoteSequence into a Score: moves every onset and duration to the grid, by less than one step.
 *
 * Onsets move to the nearest step. A duration between two steps is rounded to the step at which the next onset lies. If
 * neither step is one, it is rounded to the duration that needs no tie. Otherwise it is rounded to the nearer step.
 * Notes on the grid do not move, so a score that is played and read again does not change.
 */

import {
  accidentalDuration,
  compareNotes,
  detectKey,
  type KeyChange,
  keyFit,
  MAX_PITCHED_VOICES,
  MusicError,
  type NoteSequence,
  type Part,
  pitchClassDurations,
  type Score,
  type ScoreNote,
  type ScoreVoice,
} from '../model/index.ts';
import { layBars } from './bars.ts';

/** Steps per quarter note. */
export const DEFAULT_GRID = 16;
const GRIDS = [1, 2, 4, 8, 16, 32];
/** A duration counts as a whole number of steps if it differs from one by less than this, in steps. */
const EXACT = 1e-9;
/** Longer ranges are sorted by Array.sort. */
const MAX_INSERTION_SORT = 32;
const MAX_EXCHANGE_PASSES = 8;

/** Whether one note without a tie has this duration: a power of two, plain, dotted or double-dotted. */
export function isPlainDuration(steps: number): boolean {
  const odd = steps / (steps & -steps);
  return odd === 1 || odd === 3 || odd === 7;
}

/** A file's own C major is replaced by a key that fits so much better, see keyFit. */
const MIN_FIT_GAIN = 0.2;
/** With fewer notes, a file's own C major is kept. */
const MIN_NOTES_FOR_KEY = 32;

/** How a sequence is quantised. */
export interface QuantiseOptions {
  /** steps per quarter note: 1, 2, 4, 8, 16 or 32; default 16 */
  grid?: number;
  /**
   * whether keys that are all C major are compared with what sounds: many programs write C major into every MIDI file.
   * Default false
   */
  doubtCMajor?: boolean;
}

/**
 * Quantises a sequence.
 *
 * @returns the score, and a warning, one sentence each, for every metre or part that could not be kept
 * @throws MusicError if there is no note, the grid is none of these, or the music has more bars than bars.ts allows
 */
export function quantise(
  sequence: NoteSequence,
  { grid = DEFAULT_GRID, doubtCMajor = false }: QuantiseOptions = {},
): { score: Score; warnings: string[] } {
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
  const bars = layBars(sequence, grid, end, keyChanges(sequence, voices, doubtCMajor), warnings);
  return { score: { grid, bars, voices }, warnings };
}

/** The keys of the sequence, or the key that the notes have if there is none or it is not credible. */
function keyChanges({ keys }: NoteSequence, voices: ScoreVoice[], doubtCMajor: boolean): KeyChange[] {
  const durations = pitchClassDurations(voices);
  const isCMajor = keys.every(({ fifths, minor }) => fifths === 0 && !minor);
  if (keys.length > 0 && !(doubtCMajor && isCMajor)) return keys;
  const detected = { tick: 0, ...detectKey(durations) };
  if (keys.length === 0) return [detected];
  const notes = voices.reduce((sum, { drum, notes }) => sum + (drum ? 0 : notes.length), 0);
  const cMajor = { fifths: 0, minor: false };
  const gain = keyFit(durations, detected) - keyFit(durations, cMajor);
  // Music in D Dorian or G Mixolydian has the signature of C major; another one would give it more accidentals.
  const hasFewerAccidentals = accidentalDuration(durations, detected) < accidentalDuration(durations, cMajor);
  const isWrong = hasFewerAccidentals && notes >= MIN_NOTES_FOR_KEY && gain >= MIN_FIT_GAIN;
  return isWrong ? [detected] : keys;
}

/**
 * Joins all drums into one part. While there are too many pitched parts, joins the smallest one to a part with the same
 * program, or else to the next part.
 */
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
      const sameProgram = groups.findLastIndex(([part]) => part.notes[0].program === smallest[0].notes[0].program);
      groups[sameProgram < 0 ? groups.length - 1 : sameProgram].push(...smallest);
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
  if (!isInOrderOfStart(notes)) notes.sort((a, b) => a.start - b.start);
  for (let i = 0, j = 0; i < notes.length; i = j) {
    j = endOfOnset(notes, i);
    sortRange(notes, i, j, compareDurations);
    settleDurations(notes, i, j, stepsPerTick, j < notes.length ? notes[j].start - notes[i].start : 0);
  }
  orderEndsByStart(notes);
  for (let i = 0, j = 0; i < notes.length; i = j) {
    j = endOfOnset(notes, i);
    sortRange(notes, i, j, compareNotes);
    // All notes of an onset get the same program, because ABC can change it only between onsets.
    for (let k = i; k < j - 1; k++) notes[k].program = notes[j - 1].program;
  }
  return { drum: part.drum, notes };
}

function isInOrderOfStart(notes: ScoreNote[]): boolean {
  for (let i = 1; i < notes.length; i++) if (notes[i].start < notes[i - 1].start) return false;
  return true;
}

/** The index after the notes that have the same onset as note i. */
function endOfOnset(notes: ScoreNote[], i: number): number {
  const { start } = notes[i];
  let j = i + 1;
  while (j < notes.length && notes[j].start === start) j++;
  return j;
}

function compareDurations(a: ScoreNote, b: ScoreNote): number {
  return a.duration - b.duration;
}

/** Sorts notes i…j−1. Insertion sort, because most onsets have few notes, already in order. */
function sortRange(notes: ScoreNote[], i: number, j: number, compare: (a: ScoreNote, b: ScoreNote) => number): void {
  if (j - i > MAX_INSERTION_SORT) {
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

/**
 * Turns the durations of notes i…j−1 from ticks into steps. The notes have one onset and are in order of duration.
 *
 * Notes that can have a common duration get it, so that they form a chord.
 *
 * @param gap steps to the next onset; 0 if there is none
 */
function settleDurations(notes: ScoreNote[], i: number, j: number, stepsPerTick: number, gap: number): void {
  while (i < j) {
    // Find the largest group of notes that can share a duration. `low` and `high` are its possible values in whole
    // steps.
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
 * Makes overlapping notes of one pitch end in the order in which they begin, by exchanging their ends.
 *
 * A MIDI channel cannot express another order, but rounding and joined tracks can produce one.
 */
function orderEndsByStart(notes: ScoreNote[]): void {
  const last: (ScoreNote | undefined)[] = new Array(128);
  for (let exchanged = true, pass = 0; exchanged && pass < MAX_EXCHANGE_PASSES; pass++) {
    exchanged = false;
    last.fill(undefined);
    for (const note of notes) {
      const before = last[note.pitch];
      if (before !== undefined && before.start + before.duration > note.start + note.duration) {
        const end = before.start + before.duration;
        before.duration = note.start + note.duration - before.start;
        note.duration = end - note.start;
        exchanged = true;
      }
      last[note.pitch] = note;
    }
  }
}

/** Sorts voices from high to low by mean pitch, drums last. Voices of equal mean pitch are ordered by their notes. */
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
