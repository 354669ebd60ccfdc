/**
 * What is wrong with ABC text, with line and column: syntax and fields, bars that are not as long as their metre or as each other,
 * voices of unequal numbers of bars, pitches beyond MIDI, ties that nothing takes up. An empty list is a valid tune.
 *
 * Bars may be shorter than their metre where notation has it so: the first (an upbeat), and beside repeat signs and double bars.
 */
import { parseAbc } from './parse-abc.ts';
import { performTune } from './perform-tune.ts';
import { metreDuration, type Problem, type Tune, type TuneVoice, WHOLE } from './tune.ts';

/** Below this, durations differ only by the rounding of tuplets. */
const TOLERANCE = WHOLE / 4096;

/** In order of line and column. */
export function checkAbc(abc: string): Problem[] {
  const tune = parseAbc(abc);
  const problems = [...tune.problems];
  if (tune.voices.every((voice) => voice.bars.every((bar) => bar.layers.every((layer) => layer.notes.length === 0)))) {
    problems.push({ line: 1, column: 1, kind: 'empty', message: 'there is no note in it' });
  }
  for (const voice of tune.voices) checkBars(voice, problems);
  checkCounts(tune, problems);
  const places = new Set(problems.map(placeOf));
  for (const problem of performTune(tune).problems) {
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
    const where = { line: bar.line, column: bar.column, kind: 'bar-length' as const };
    for (const [k, layer] of bar.layers.entries()) {
      if (Math.abs(layer.duration - bar.duration) > TOLERANCE) {
        problems.push({
          ...where,
          message: `layer ${k + 1} of this bar is ${beats(layer.duration)} long, the longest ${beats(bar.duration)}`,
        });
        break;
      }
    }
    if (bar.metre === undefined) continue;
    const wanted = metreDuration(bar.metre);
    const metre = `${bar.metre.numerator}/${bar.metre.denominator}`;
    if (bar.duration > wanted + TOLERANCE) {
      problems.push({ ...where, message: `this bar is ${beats(bar.duration)} long; ${metre} has ${beats(wanted)}` });
    } else if (bar.duration < wanted - TOLERANCE) {
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
        problems.push({ ...where, message: `this bar is ${beats(bar.duration)} long; ${metre} has ${beats(wanted)}` });
    }
  }
}

function beats(duration: number): string {
  const count = Math.round((duration * 4000) / WHOLE) / 1000;
  return `${count} ${count === 1 ? 'beat' : 'beats'}`;
}

function checkCounts(tune: Tune, problems: Problem[]): void {
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
