/**
 * Moves the notes of one part to the grids of its beats.
 *
 * Onsets move to the nearest point. A duration ends at one of the two points beside its end. Of these, the first rule
 * that tells them apart decides:
 *
 * 1. The note does not cross a bar line by one step.
 * 2. It ends where the next note begins.
 * 3. It needs no tie.
 * 4. It ends at the nearer point.
 */
import {
  compareNotes,
  type Part,
  type ScoreBar,
  type ScoreNote,
  type ScoreVoice,
  UNITS_PER_STEP,
} from '../model/index.ts';
import { BeatGrids, type Beats, EXACT, Onsets } from './beat-grids.ts';

/** Longer ranges are sorted by Array.sort. */
const MAX_INSERTION_SORT = 32;
const MAX_EXCHANGE_PASSES = 8;
/**
 * The steps of quintuplets are long. There, an end that is clearly nearer to one of its two points goes to that point,
 * before the rules above. It is clearly nearer if its distance from the middle between them exceeds this share of half
 * the step.
 */
const MAX_LEAN = 0.2;
/** A note of a triplet is written with 3/2 of its duration. */
const UNITS_OF_WRITTEN_TRIPLET_STEP = (UNITS_PER_STEP * 2) / 3;

/** Settings that all parts of a sequence share. */
export interface PartSettings {
  bars: readonly ScoreBar[];
  beats: Beats;
  unitsPerTick: number;
  /** whether beats may have triplets and quintuplets */
  tuplets: boolean;
}

/** The onsets of a part. */
export function onsetsOf(part: Part, beats: Beats, unitsPerTick: number): Onsets {
  return new Onsets(beats, part.notes, unitsPerTick);
}

/** Quantises a part that has at least one note. */
export function quantisePart(
  part: Part,
  onsets: Onsets,
  { bars, beats, unitsPerTick, tuplets }: PartSettings,
): ScoreVoice {
  const grids = new BeatGrids(beats, tuplets ? onsets.steps() : undefined);
  // Durations stay in ticks until all onsets are known. A number with a fraction in a note would cost V8 an object, in
  // all notes.
  const notes: ScoreNote[] = part.notes.map(({ start, duration, pitch, program }) => ({
    start: grids.nearest(start * unitsPerTick),
    duration,
    pitch,
    program,
  }));
  if (!isInOrderOfStart(notes)) notes.sort((a, b) => a.start - b.start);
  const settings = { grids, unitsPerTick, bars, bar: 0, next: 0 };
  for (let i = 0, j = 0; i < notes.length; i = j) {
    j = endOfOnset(notes, i);
    if (j - i > 1) sortRange(notes, i, j, compareDurations);
    const { start } = notes[i];
    while (settings.bar + 1 < bars.length && bars[settings.bar + 1].start <= start) settings.bar++;
    settings.next = j < notes.length ? notes[j].start : 0;
    if (grids.isBinary) settleBinaryDurations(notes, i, j, settings);
    else settleDurations(notes, i, j, settings);
  }
  orderEndsByStart(notes);
  for (let i = 0, j = 0; i < notes.length; i = j) {
    j = endOfOnset(notes, i);
    if (j - i > 1) sortRange(notes, i, j, compareNotes);
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

/** Where the notes of an onset may end. */
interface EndSettings {
  grids: BeatGrids;
  unitsPerTick: number;
  bars: readonly ScoreBar[];
  /** index of the bar of the onset */
  bar: number;
  /** the next onset; 0 if there is none */
  next: number;
}

/**
 * Moves the ends of notes i…j−1 to the grid. The notes have one onset and are in order of duration, which is in ticks
 * before and in units afterwards.
 *
 * Notes that can have a common end get it, so that they form a chord.
 */
function settleDurations(notes: ScoreNote[], i: number, j: number, settings: EndSettings): void {
  const { grids, unitsPerTick, next } = settings;
  const { start } = notes[i];
  const first = grids.ceil(start + 1);
  while (i < j) {
    // Find the largest group of notes that can share an end. `low` and `high` are its possible values.
    let end = start + notes[i].duration * unitsPerTick;
    const high = Math.max(first, grids.ceil(end));
    let low = Math.max(first, grids.floor(end));
    const nearest = Math.max(first, grids.nearestEnd(end));
    let sum = end;
    let k = i + 1;
    for (; k < j; k++) {
      end = start + notes[k].duration * unitsPerTick;
      const floor = Math.max(first, grids.floor(end));
      if (floor > high) break;
      // In a beat of quintuplets, the steps are too long to move two ends towards each other.
      const isWide = high - low > UNITS_PER_STEP || grids.ceil(end) - floor > UNITS_PER_STEP;
      if (isWide && grids.nearestEnd(end) !== nearest) break;
      low = floor;
      sum += end;
    }
    const mean = sum / (k - i);
    let settled = high;
    if (low < high && high - low > UNITS_PER_STEP && Math.abs(2 * mean - low - high) > MAX_LEAN * (high - low)) {
      settled = 2 * mean < low + high ? low : high;
    } else if (low < high) {
      if (beginsBar(settings, low)) settled = low;
      else if (next === low || next === high) settled = next;
      else if (isPlain(start, low) !== isPlain(start, high)) settled = isPlain(start, low) ? low : high;
      else settled = mean - low < (high - low) / 2 ? low : high;
    }
    for (; i < k; i++) notes[i].duration = settled - start;
  }
}

/** The same in a voice whose beats are all binary: most of the time is spent here. */
function settleBinaryDurations(notes: ScoreNote[], i: number, j: number, settings: EndSettings): void {
  const { unitsPerTick, next } = settings;
  const { start } = notes[i];
  const first = start + UNITS_PER_STEP;
  while (i < j) {
    let end = start + notes[i].duration * unitsPerTick;
    let low = UNITS_PER_STEP * Math.floor((end + EXACT) / UNITS_PER_STEP);
    const high = Math.max(first, end - EXACT <= low ? low : low + UNITS_PER_STEP);
    let sum = end;
    let k = i + 1;
    for (; k < j; k++) {
      end = start + notes[k].duration * unitsPerTick;
      const floor = UNITS_PER_STEP * Math.floor((end + EXACT) / UNITS_PER_STEP);
      if (floor > high) break;
      low = floor;
      sum += end;
    }
    let settled = high;
    if (low < high && first < high) {
      if (beginsBar(settings, low)) settled = low;
      else if (next === low || next === high) settled = next;
      else {
        const isLowPlain = isPlainDuration((low - start) / UNITS_PER_STEP);
        if (isLowPlain !== isPlainDuration((high - start) / UNITS_PER_STEP)) settled = isLowPlain ? low : high;
        else settled = sum / (k - i) - low < UNITS_PER_STEP / 2 ? low : high;
      }
    }
    const duration = settled - start;
    for (; i < k; i++) notes[i].duration = duration;
  }
}

/** Whether a bar after that of the onset begins at a position. */
function beginsBar({ bars, bar }: EndSettings, position: number): boolean {
  while (bar < bars.length && bars[bar].start < position) bar++;
  return bar < bars.length && bars[bar].start === position;
}

/** Whether one note without a tie lasts from `start` to `end`. */
function isPlain(start: number, end: number): boolean {
  const duration = end - start;
  if (start % UNITS_PER_STEP === 0 && end % UNITS_PER_STEP === 0) return isPlainDuration(duration / UNITS_PER_STEP);
  return duration % UNITS_OF_WRITTEN_TRIPLET_STEP === 0 && isPlainDuration(duration / UNITS_OF_WRITTEN_TRIPLET_STEP);
}

/** Whether one note without a tie has this duration: a power of two, plain, dotted or double-dotted. */
export function isPlainDuration(steps: number): boolean {
  const odd = steps / (steps & -steps);
  return odd === 1 || odd === 3 || odd === 7;
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
