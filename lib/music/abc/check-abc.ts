/**
 * Checks ABC and lists its problems by line and column: syntax, fields, bars whose length differs from their metre or
 * between voices, voices with different numbers of bars, pitches outside MIDI's range, ties that no note continues.
 *
 * A bar may be shorter than its metre if notation allows it: the first bar (an upbeat), and bars beside repeat signs
 * and double bars.
 */
import { parseAbc } from './parse-abc.ts';
import { performTune } from './perform-tune.ts';
import { metreDuration, type Problem, type Tune, type TuneVoice, WHOLE } from './tune.ts';

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
  for (const [index, bar] of voice.bars.entries()) {
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
    const expected = metreDuration(bar.metre);
    const metre = `${bar.metre.numerator}/${bar.metre.denominator}`;
    if (bar.duration > expected + TOLERANCE) {
      problems.push({ ...place, message: `this bar is ${beats(bar.duration)} long; ${metre} has ${beats(expected)}` });
    } else if (bar.duration < expected - TOLERANCE) {
      const before = voice.bars[index - 1];
      const mayBeShort =
        index === 0 ||
        bar.opensRepeat ||
        bar.closesRepeat > 0 ||
        bar.doubleBar ||
        bar.endings !== undefined ||
        before.closesRepeat > 0 ||
        before.doubleBar;
      if (!mayBeShort)
        problems.push({
          ...place,
          message: `this bar is ${beats(bar.duration)} long; ${metre} has ${beats(expected)}`,
        });
    }
  }
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
