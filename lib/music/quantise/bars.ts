/**
 * Lays the bars of a sequence: the beginning, metre, tempo and key of each bar.
 *
 * - A metre change within a bar ends that bar. The shortened bar gets a metre of its own length, so that every bar is
 *   as long as its metre.
 * - A bar's tempo is the whole number of beats per minute that gives the bar its length in seconds. If it differs from
 *   the tempo of the bar before by less than one, that tempo is kept.
 * - A key change takes effect at the nearest bar line.
 */
import {
  DEFAULT_TEMPO,
  type KeyChange,
  MusicError,
  type NoteSequence,
  type ScoreBar,
  type TempoChange,
  UNITS_PER_STEP,
} from '../model/index.ts';

/** An hour of 1/4 bars has 7,200 bars. Without a limit, one damaged delta time could produce millions of bars. */
const MAX_BARS = 10_000;
/** The numerator of a MIDI time signature is one byte. */
const MAX_NUMERATOR = 255;
/** Beats per minute; other tempos are limited to this range. */
const MIN_TEMPO = 4;
const MAX_TEMPO = 2000;

/**
 * Lays bars over steps 0…end, without keys.
 *
 * @param warnings a warning is added here for each metre that does not fit the grid
 * @throws MusicError if there are more than MAX_BARS
 */
export function layBars(sequence: NoteSequence, grid: number, end: number, warnings: string[]): ScoreBar[] {
  const toStep = (tick: number) => Math.round((tick * grid) / sequence.ticksPerBeat);
  const bars: ScoreBar[] = [];
  const metres = metreChanges(sequence, grid, toStep, warnings);
  let numerator = 4;
  let denominator = 4;
  let next = 0;
  for (let start = 0; start < end; ) {
    while (next < metres.length && metres[next].step <= start) ({ numerator, denominator } = metres[next++]);
    let length = (numerator * 4 * grid) / denominator;
    const bar: ScoreBar = { start, length, numerator, denominator, tempo: 120, fifths: 0, minor: false };
    if (next < metres.length && metres[next].step < start + length) {
      Object.assign(bar, metreWithin(metres[next].step - start, grid));
      length = bar.length;
    }
    if (bars.length === MAX_BARS) throw new MusicError(`the music would be more than ${MAX_BARS} bars long`);
    bars.push(bar);
    start += length;
  }
  setTempos(bars, sequence, grid);
  for (const bar of bars) {
    bar.start *= UNITS_PER_STEP;
    bar.length *= UNITS_PER_STEP;
  }
  return bars;
}

/** The metre changes in steps, without repeated metres. Of several changes at one step, the last counts. */
function metreChanges(sequence: NoteSequence, grid: number, toStep: (tick: number) => number, warnings: string[]) {
  const changes: { step: number; numerator: number; denominator: number }[] = [];
  for (const { tick, numerator, denominator } of sequence.metres) {
    const length = (numerator * 4 * grid) / denominator;
    if (!Number.isInteger(length)) {
      warnings.push(
        `metre ${numerator}/${denominator} does not fit a grid of ${grid} steps a beat and was passed over`,
      );
      continue;
    }
    const step = toStep(tick);
    if (changes.at(-1)?.step === step) changes.pop();
    const before = changes.at(-1) ?? { numerator: 4, denominator: 4 };
    if (before.numerator !== numerator || before.denominator !== denominator)
      changes.push({ step, numerator, denominator });
  }
  return changes;
}

/**
 * The metre of a shortened bar, with the smallest denominator (3/4, not 6/8). If its numerator would exceed
 * MAX_NUMERATOR, the bar has the length of as many 4/4 bars as fit, and the next bar takes the rest.
 */
function metreWithin(steps: number, grid: number): { length: number; numerator: number; denominator: number } {
  let numerator = steps;
  let denominator = 4 * grid;
  while (numerator % 2 === 0 && denominator > 4) {
    numerator /= 2;
    denominator /= 2;
  }
  if (numerator <= MAX_NUMERATOR) return { length: steps, numerator, denominator };
  numerator = Math.min(4 * Math.floor(steps / (4 * grid)), 4 * Math.floor(MAX_NUMERATOR / 4));
  return { length: numerator * grid, numerator, denominator: 4 };
}

function setTempos(bars: ScoreBar[], sequence: NoteSequence, grid: number): void {
  const { tempos, ticksPerBeat } = sequence;
  let next = 0;
  let current: TempoChange = { tick: 0, microsecondsPerBeat: DEFAULT_TEMPO };
  let before = -1;
  for (const bar of bars) {
    const from = (bar.start * ticksPerBeat) / grid;
    const to = ((bar.start + bar.length) * ticksPerBeat) / grid;
    let microseconds = 0;
    let tick = from;
    // A change less than half a step after the bar line belongs to the bar line.
    const tolerance = ticksPerBeat / grid / 2;
    while (next < tempos.length && tempos[next].tick < from + tolerance) current = tempos[next++];
    while (next < tempos.length && tempos[next].tick < to) {
      microseconds += (tempos[next].tick - tick) * current.microsecondsPerBeat;
      tick = tempos[next].tick;
      current = tempos[next++];
    }
    microseconds += (to - tick) * current.microsecondsPerBeat;
    const exact = (60e6 * (to - from)) / microseconds;
    if (before < 0 || Math.abs(exact - before) >= 0.999)
      before = Math.min(MAX_TEMPO, Math.max(MIN_TEMPO, Math.round(exact)));
    bar.tempo = before;
  }
}

/** Gives all bars the tempo with which they last as long together. */
export function setOneTempo(bars: readonly ScoreBar[]): void {
  const units = bars.reduce((sum, { length }) => sum + length, 0);
  const time = bars.reduce((sum, { length, tempo }) => sum + length / tempo, 0);
  for (const bar of bars) bar.tempo = Math.round(units / time);
}

/**
 * Sets the keys of bars.
 *
 * @param changes at least one, in order of tick
 */
export function setKeys(bars: readonly ScoreBar[], changes: readonly KeyChange[], unitsPerTick: number): void {
  let [key] = changes;
  let next = 0;
  for (const bar of bars) {
    while (next < changes.length && changes[next].tick * unitsPerTick < bar.start + bar.length / 2)
      key = changes[next++];
    bar.fifths = key.fifths;
    bar.minor = key.minor;
  }
}
