/**
 * Checks ABC and lists its problems by line and column: syntax, fields, bars whose length differs from their metre or
 * between voices, voices with different numbers of bars or repeats, pitches outside MIDI's range, ties that no note
 * continues, bars that are never played.
 *
 * A bar may be shorter than its metre if notation allows it: the first bar (an upbeat), and a bar that another short bar
 * completes. Such bars stand beside a repeat sign, a double bar, an ending, a part, or the end of the tune.
 */
import { parseAbc } from '../reading/parse-abc.ts';
import { metreDuration, type Problem, type Tune, type TuneBar, type TuneVoice, WHOLE } from '../tune.ts';
import { performTune } from './perform-tune.ts';

/** Smaller differences of durations, in ticks, come from the rounding of tuplets. */
const TOLERANCE = WHOLE / 4096;

/**
 * Lists the problems of a tune in order of line and column.
 *
 * @returns an empty list if the tune is valid
 */
export function checkAbc(abc: string): Problem[] {
  const tune = parseAbc(abc);
  return checkTune(tune, performTune(tune).problems);
}

/**
 * Lists the problems of a parsed tune in order of line and column.
 *
 * @param playingProblems the problems that performTune found
 */
export function checkTune(tune: Tune, playingProblems: Problem[]): Problem[] {
  const problems = [...tune.problems];
  if (tune.voices.every((voice) => voice.bars.every((bar) => bar.layers.every((layer) => layer.notes.length === 0)))) {
    problems.push({ line: 1, column: 1, kind: 'empty', message: 'there is no note in the tune' });
  }
  for (const voice of tune.voices) checkBars(voice, problems);
  checkBarCounts(tune, problems);
  const places = new Set(problems.map(placeOf));
  for (const problem of playingProblems) {
    const place = placeOf(problem);
    if (!places.has(place)) problems.push(problem);
    places.add(place);
  }
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

function placeOf({ line, column }: Problem): string {
  return `${line}:${column}`;
}

function checkBars(voice: TuneVoice, problems: Problem[]): void {
  const { bars } = voice;
  const isShort = ({ metre, duration }: TuneBar) => metre !== undefined && duration < metreDuration(metre) - TOLERANCE;
  const begins = bars.map((_, i) => isSectionEnd(bars, i - 1));
  const ends = bars.map((_, i) => isSectionEnd(bars, i));
  /** the durations of the short bars with which a section begins, and of those with which one ends; ascending */
  const upbeats = durationsOf(bars.filter((bar, i) => begins[i] && isShort(bar)));
  const endings = durationsOf(bars.filter((bar, i) => ends[i] && isShort(bar)));
  /** whether another bar completes this one; `itself`: whether this one is among the others */
  const isCompleted = ({ duration }: TuneBar, others: Float64Array, expected: number, itself: boolean) => {
    const missing = expected - duration;
    const found = countBelow(others, missing + TOLERANCE) - countBelow(others, missing - TOLERANCE);
    return found > (itself && Math.abs(missing - duration) <= TOLERANCE ? 1 : 0);
  };
  for (const [index, bar] of bars.entries()) {
    const place = { line: bar.line, column: bar.column, kind: 'bar-length' as const };
    for (const [k, layer] of bar.layers.entries()) {
      if (Math.abs(layer.duration - bar.duration) > TOLERANCE) {
        problems.push({
          ...place,
          message: `layer ${k + 1} of this bar is ${beats(layer.duration)} long, the longest ${beats(bar.duration)}`,
        });
        break;
      }
    }
    if (bar.metre === undefined) continue;
    if (bar.endedByLine) problems.push({ ...place, message: 'no bar line ends this bar, and its line ends' });
    const expected = metreDuration(bar.metre);
    if (Math.abs(bar.duration - expected) <= TOLERANCE) continue;
    const mayBeShort =
      isShort(bar) &&
      (index === 0 ||
        // A medley goes on with an upbeat in another metre.
        (begins[index] && bars[index - 1].metre !== bar.metre) ||
        (ends[index] && isCompleted(bar, upbeats, expected, begins[index])) ||
        (begins[index] && isCompleted(bar, endings, expected, ends[index])));
    if (mayBeShort) continue;
    const metre = `${bar.metre.numerator}/${bar.metre.denominator}`;
    problems.push({ ...place, message: `this bar is ${beats(bar.duration)} long; ${metre} has ${beats(expected)}` });
  }
}

function durationsOf(bars: TuneBar[]): Float64Array {
  return Float64Array.from(bars, ({ duration }) => duration).sort();
}

/** How many of ascending numbers are below a limit. */
function countBelow(numbers: Float64Array, limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a section may end after this bar. */
function isSectionEnd(bars: TuneBar[], index: number): boolean {
  const bar = bars[index];
  const next = bars[index + 1];
  if (bar === undefined || next === undefined) return true;
  return (
    bar.closesRepeat > 0 || bar.doubleBar || next.opensRepeat || next.endings !== undefined || next.part !== undefined
  );
}

/** A duration in words, to three decimals: "1.5 beats". */
function beats(duration: number): string {
  const quarters = Math.round((duration * 4000) / WHOLE) / 1000;
  return `${quarters} ${quarters === 1 ? 'beat' : 'beats'}`;
}

function checkBarCounts(tune: Tune, problems: Problem[]): void {
  const [first, ...rest] = tune.voices;
  for (const voice of rest) {
    if (voice.bars.length === first.bars.length) {
      const different = voice.bars.findIndex((bar, i) => Math.abs(bar.duration - first.bars[i].duration) > TOLERANCE);
      if (different >= 0) {
        const { line, column } = voice.bars[different];
        problems.push({
          line,
          column,
          kind: 'bar-length',
          message: `bar ${different + 1} is longer or shorter in voice ${voice.id} than in voice ${first.id}`,
        });
      }
      continue;
    }
    const { line, column } = voice.bars.at(-1)!;
    problems.push({
      line,
      column,
      kind: 'bar-count',
      message: `voice ${voice.id} has ${voice.bars.length} bars, voice ${first.id} has ${first.bars.length}`,
    });
  }
}
