/**
 * Measures of a piece as MusPy defines them (Dong et al., "MusPy: A Toolkit for Symbolic Music Generation", ISMIR 2020),
 * on its grid of 24 steps a beat, under its names. To compare what a model writes with what it learnt from: none of them is
 * better high or low.
 *
 *     measure(midi)  →  { notes: 218, pitch_range: 40, pitch_class_entropy: 2.7, scale_consistency: .99, … }
 *
 * Tempo, velocities and programs count for nothing. A measure of nothing (the polyphony of drums alone) is null, where
 * MusPy has NaN.
 */
import { readMidi } from '../midi/index.ts';

export interface Measures {
  /** drums too */
  notes: number;
  /** highest less lowest pitch, in semitones; 0 without notes */
  pitch_range: number;
  /** Shannon entropy of the notes' pitch classes, in bits: 0 for one class, log₂ 12 = 3.58 for all alike */
  pitch_class_entropy: number | null;
  /** share of the notes in the major or natural minor scale that has most of them */
  scale_consistency: number | null;
  /** mean number of pitches that sound at once, over the steps in which any does */
  polyphony: number | null;
  /** 1 less the mean share of a bar's steps at which one bar has an onset and the next has none, or the reverse; drums too */
  groove_consistency: number | null;
  /** share of beats in which nothing sounds; drums too */
  empty_beat_rate: number | null;
}

/** A note on the grid of `STEPS_PER_BEAT`. */
export interface StepNote {
  start: number;
  duration: number;
  /** MIDI note number */
  pitch: number;
  drum: boolean;
}

const STEPS_PER_BEAT = 24;
const MAJOR = [0, 2, 4, 5, 7, 9, 11];
const NATURAL_MINOR = [0, 2, 3, 5, 7, 8, 10];

/** Throws MusicError where the bytes are no MIDI file. Bars are those of the first metre throughout, as MusPy's measures have it. */
export function measure(midi: Uint8Array): Measures {
  const { sequence } = readMidi(midi);
  const { numerator, denominator } = sequence.metres[0] ?? { numerator: 4, denominator: 4 };
  const steps = (ticks: number) => Math.round((ticks * STEPS_PER_BEAT) / sequence.ticksPerBeat);
  const notes = sequence.parts.flatMap(({ drum, notes }) =>
    notes.map(({ start, duration, pitch }) => ({ start: steps(start), duration: steps(duration), pitch, drum })),
  );
  return measureNotes(notes, Math.max(1, Math.round((STEPS_PER_BEAT * 4 * numerator) / denominator)));
}

/** The measures of notes on the grid, under bars of so many steps. */
export function measureNotes(notes: readonly StepNote[], stepsPerBar = 4 * STEPS_PER_BEAT): Measures {
  const pitched = notes.filter((note) => !note.drum);
  const classes = pitchClasses(pitched);
  return {
    notes: notes.length,
    pitch_range: pitchRange(pitched),
    pitch_class_entropy: pitched.length === 0 ? null : entropy(classes),
    scale_consistency: pitched.length === 0 ? null : scaleConsistency(classes),
    polyphony: polyphony(pitched),
    groove_consistency: grooveConsistency(notes, stepsPerBar),
    empty_beat_rate: emptyBeatRate(notes),
  };
}

/** How many notes each of the 12 pitch classes has. */
function pitchClasses(notes: readonly StepNote[]): number[] {
  const counts = new Array<number>(12).fill(0);
  for (const { pitch } of notes) counts[pitch % 12]++;
  return counts;
}

function pitchRange(notes: readonly StepNote[]): number {
  let lowest = 127;
  let highest = 0;
  for (const { pitch } of notes) {
    lowest = Math.min(lowest, pitch);
    highest = Math.max(highest, pitch);
  }
  return Math.max(0, highest - lowest);
}

/** −Σ p log₂ p of a histogram. */
function entropy(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count) => (count === 0 ? sum : sum - (count / total) * Math.log2(count / total)), 0);
}

function scaleConsistency(classes: readonly number[]): number {
  const total = classes.reduce((sum, count) => sum + count, 0);
  let most = 0;
  for (const scale of [MAJOR, NATURAL_MINOR]) {
    for (let root = 0; root < 12; root++) {
      const inside = scale.reduce((sum, step) => sum + classes[(root + step) % 12], 0);
      most = Math.max(most, inside);
    }
  }
  return most / total;
}

/** Two notes of one pitch at one time are one pitch, as in a piano roll. */
function polyphony(notes: readonly StepNote[]): number | null {
  const byPitch: Interval[][] = Array.from({ length: 128 }, () => []);
  for (const { pitch, start, duration } of notes) byPitch[pitch].push([start, start + duration]);
  let sounding = 0;
  const all: Interval[] = [];
  for (const ofPitch of byPitch) {
    const intervals = union(ofPitch);
    sounding += lengthOf(intervals);
    all.push(...intervals);
  }
  const steps = lengthOf(union(all));
  return steps === 0 ? null : sounding / steps;
}

type Interval = readonly [from: number, to: number];

/** The same steps in intervals that do not overlap, in order. */
function union(intervals: readonly Interval[]): Interval[] {
  const joined: [number, number][] = [];
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

function lengthOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** Null for less than two bars. The bar that ends where the music ends counts as begun, as MusPy has it. */
function grooveConsistency(notes: readonly StepNote[], stepsPerBar: number): number | null {
  const bars = Math.floor(endOf(notes) / stepsPerBar) + 1;
  if (bars < 2) return null;
  const onsets = new Set(notes.map(({ start }) => start));
  let differences = 0;
  for (const onset of onsets) {
    const bar = Math.floor(onset / stepsPerBar);
    // An onset differs from the bar before, and from the bar after, where that one has none at its place.
    if (bar > 0 && !onsets.has(onset - stepsPerBar)) differences++;
    if (bar < bars - 1 && !onsets.has(onset + stepsPerBar)) differences++;
  }
  return 1 - differences / (stepsPerBar * (bars - 1));
}

/** A note also fills the beat at whose beginning it ends, and music of four beats has five, as MusPy has it. */
function emptyBeatRate(notes: readonly StepNote[]): number | null {
  const end = endOf(notes);
  if (end < 1) return null;
  const beats = Math.floor(end / STEPS_PER_BEAT) + 1;
  const filled = union(
    notes.map(({ start, duration }) => [
      Math.floor(start / STEPS_PER_BEAT),
      Math.floor((start + duration) / STEPS_PER_BEAT) + 1,
    ]),
  );
  return 1 - lengthOf(filled) / beats;
}

function endOf(notes: readonly StepNote[]): number {
  return notes.reduce((end, { start, duration }) => Math.max(end, start + duration), 0);
}
