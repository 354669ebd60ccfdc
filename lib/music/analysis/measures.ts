/**
 * MusPy's measures of a piece, on its grid of 24 steps per beat and under its names. They compare generated music with
 * the training data; a high value is not better than a low one.
 *
 *     measure(midi)  →  { notes: 218, pitch_range: 40, pitch_class_entropy: 2.7, scale_consistency: .99, … }
 *
 * Tempo, velocities and programs have no influence. A measure without data, such as the polyphony of drums alone, is
 * null; MusPy returns NaN.
 *
 * @see Dong et al., "MusPy: A Toolkit for Symbolic Music Generation", ISMIR 2020
 */
import { readMidi } from '../midi/index.ts';

/** The measures of a piece. Unless stated otherwise, drums do not count. */
export interface Measures {
  /** number of notes, including drums */
  notes: number;
  /** highest minus lowest pitch, in semitones; 0 without notes */
  pitch_range: number;
  /** Shannon entropy of the pitch classes, in bits: 0 for one class, log₂ 12 = 3.58 if all are equally frequent */
  pitch_class_entropy: number | null;
  /** share of the notes in the best-fitting major or natural minor scale */
  scale_consistency: number | null;
  /** mean number of pitches that sound at once, over the steps in which at least one sounds */
  polyphony: number | null;
  /** 1 minus the mean share of steps at which only one of two neighbouring bars has an onset; drums included */
  groove_consistency: number | null;
  /** share of beats in which nothing sounds; drums included */
  empty_beat_rate: number | null;
}

/** A note on MusPy's grid of 24 steps per beat. */
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

/**
 * Measures a MIDI file. As in MusPy, the first metre gives the length of all bars.
 *
 * @throws MusicError if the bytes are not a MIDI file
 */
export function measure(midi: Uint8Array): Measures {
  const { sequence } = readMidi(midi);
  const { numerator, denominator } = sequence.metres[0] ?? { numerator: 4, denominator: 4 };
  const steps = (ticks: number) => Math.round((ticks * STEPS_PER_BEAT) / sequence.ticksPerBeat);
  const notes = sequence.parts.flatMap(({ drum, notes }) =>
    notes.map(({ start, duration, pitch }) => ({ start: steps(start), duration: steps(duration), pitch, drum })),
  );
  return measureNotes(notes, Math.max(1, Math.round((STEPS_PER_BEAT * 4 * numerator) / denominator)));
}

/**
 * Measures notes on the grid.
 *
 * @param stepsPerBar length of a bar, in steps; four beats by default
 */
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

/** The number of notes of each pitch class. */
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

/** The entropy −Σ p log₂ p of a histogram, in bits. */
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

/** As in a piano roll, simultaneous notes of one pitch count once. */
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

/** The union of intervals, as intervals that do not overlap, in order. */
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

/** Null for fewer than two bars. As in MusPy, music that ends on a bar line counts one bar more. */
function grooveConsistency(notes: readonly StepNote[], stepsPerBar: number): number | null {
  const bars = Math.floor(endOf(notes) / stepsPerBar) + 1;
  if (bars < 2) return null;
  const onsets = new Set(notes.map(({ start }) => start));
  let differences = 0;
  for (const onset of onsets) {
    const bar = Math.floor(onset / stepsPerBar);
    // Compare with the bar before and the bar after at the same place.
    if (bar > 0 && !onsets.has(onset - stepsPerBar)) differences++;
    if (bar < bars - 1 && !onsets.has(onset + stepsPerBar)) differences++;
  }
  return 1 - differences / (stepsPerBar * (bars - 1));
}

/** As in MusPy, a note also fills the beat at whose beginning it ends, and music of four beats counts five. */
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
