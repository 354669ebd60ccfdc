/**
 * Two architectures at equal size, inside the range of sizes that both were measured in. Where both have a law, their difference has an
 * interval; where one has none, what was measured is interpolated, and nothing is claimed of it.
 */
import { isRefusal, type PowerLawFit, predict, type Refusal } from './power-law.ts';
import { mean, steps } from './variable-projection.ts';
import { displayName, interval, number } from './wording.ts';

/** Of a − b, in the unit of the loss: below 0, a is the better. */
export interface Difference {
  params: number;
  difference: number;
  /** null where there is no interval */
  low: number | null;
  high: number | null;
  /** the architecture whose loss is distinguishably lower; null where neither is */
  better: string | null;
}

export interface ArchitectureComparison {
  tokenizer: string;
  architectures: [a: string, b: string];
  /** the sizes that both were measured in; null where there are none */
  range: [number, number] | null;
  /** at the ends and in the middle of the range */
  at: Difference[];
  /** where the laws meet, and between which sizes they cannot be told apart; null where neither overtakes the other */
  crossing: { params: number; low: number; high: number } | null;
  verdict: string;
}

interface Group {
  tokenizer: string;
  architecture: string;
  fit: PowerLawFit | Refusal;
}

/** Sizes at which the laws are compared to find where one overtakes the other. */
const COMPARED = 64;

/** `unit`: what the losses are, in words. `named`: whether the verdict has to say of which tokenizer it speaks. */
export function compareArchitectures(a: Group, b: Group, unit: string, named = true): ArchitectureComparison {
  const base = { tokenizer: a.tokenizer, architectures: [a.architecture, b.architecture] as [string, string] };
  const who = named && a.tokenizer ? `${a.tokenizer}: ` : '';
  const names = base.architectures.map(displayName) as [string, string];
  const range = overlap(a.fit, b.fit);
  if (range === null)
    return {
      ...base,
      range,
      at: [],
      crossing: null,
      verdict: `${who}${names[0]} and ${names[1]} have no range of sizes in common, so they cannot be compared at equal size.`,
    };
  const [low, high] = range.map(Math.log);
  const three = [low, (low + high) / 2, high].map(Math.exp);
  if (isRefusal(a.fit) || isRefusal(b.fit)) {
    const lacking = [a, b].filter((group) => isRefusal(group.fit)).map((group) => displayName(group.architecture));
    const at = three.map((params): Difference => {
      const difference = interpolate(a.fit.points, params) - interpolate(b.fit.points, params);
      return { params, difference, low: null, high: null, better: null };
    });
    const middle = at[1];
    const lower = middle.difference < 0 ? names[0] : names[1];
    return {
      ...base,
      range,
      at,
      crossing: null,
      verdict: `${who}${names[0]} and ${names[1]} are not distinguishable: ${lacking.join(' and ')} ${lacking.length > 1 ? 'have' : 'has'} no law and so no interval. Between the runs as measured, ${lower} is lower by ${number(Math.abs(middle.difference))} in ${unit} at ${number(middle.params)} parameters.`,
    };
  }
  const [fitA, fitB] = [a.fit, b.fit];
  const compare = (sizes: number[]) => predictDifference(fitA, fitB, sizes, base.architectures);
  const along = compare(steps(low, high, COMPARED).map(Math.exp));
  const crossing = findCrossing(along);
  const at = compare(three);
  return { ...base, range, at, crossing, verdict: who + verdict(names, base.architectures, unit, along, at, crossing) };
}

/** The laws' difference a − b; its interval combines those of the two laws as Zou & Donner (2008) do, which need not be symmetric. */
export function predictDifference(
  a: PowerLawFit,
  b: PowerLawFit,
  params: readonly number[],
  names: [a: string, b: string] = ['a', 'b'],
): Difference[] {
  const [lawA, lawB] = [predict(a, params), predict(b, params)];
  return params.map((size, i) => {
    const [x, y] = [lawA[i], lawB[i]];
    const difference = x.loss - y.loss;
    const low = difference - Math.hypot(x.loss - x.low, y.high - y.loss);
    const high = difference + Math.hypot(x.high - x.loss, y.loss - y.low);
    return { params: size, difference, low, high, better: high < 0 ? names[0] : low > 0 ? names[1] : null };
  });
}

/** A crossing counts only where one architecture is distinguishably better below it and the other above. */
function findCrossing(along: readonly Difference[]): ArchitectureComparison['crossing'] {
  const told = along.filter((point) => point.better !== null);
  const turn = told.findIndex((point, i) => i > 0 && point.better !== told[i - 1].better);
  if (turn < 0) return null;
  const [from, to] = [along.indexOf(told[turn - 1]), along.indexOf(told[turn])];
  const sign = Math.sign(along[from].difference);
  const after = along.findIndex((point, i) => i > from && Math.sign(point.difference) !== sign);
  const [left, right] = [along[after - 1], along[after]];
  const share = left.difference / (left.difference - right.difference);
  const params = Math.exp(Math.log(left.params) + share * (Math.log(right.params) - Math.log(left.params)));
  return { params, low: along[from].params, high: along[to].params };
}

function verdict(
  [nameA, nameB]: [string, string],
  [a]: [string, string],
  unit: string,
  along: readonly Difference[],
  at: readonly Difference[],
  crossing: ArchitectureComparison['crossing'],
): string {
  const nameOf = (architecture: string) => (architecture === a ? nameA : nameB);
  const otherOf = (architecture: string) => (architecture === a ? nameB : nameA);
  const range = `${number(along[0].params)} to ${number(along[along.length - 1].params)} parameters`;
  const told = along.filter((point) => point.better !== null);
  if (told.length === 0)
    return `${nameA} and ${nameB} are not distinguishable at equal size, from ${range}: at ${number(at[1].params)} they differ by ${number(at[1].difference)} in ${unit} (${interval([at[1].low!, at[1].high!])}).`;
  const better = told[0].better!;
  if (crossing)
    return `${nameOf(better)} is better at small sizes and ${otherOf(better)} at large ones; the laws cross near ${number(crossing.params)} parameters, anywhere from ${number(crossing.low)} to ${number(crossing.high)}.`;
  const size = (point: Difference) => Math.abs(point.difference);
  const widest = at.filter((point) => point.better !== null).sort((x, y) => size(y) - size(x))[0] ?? told[0];
  const sign = better === a ? -1 : 1;
  const bounds = [sign * widest.low!, sign * widest.high!].sort((x, y) => x - y) as [number, number];
  const by = `by ${number(size(widest))} in ${unit} (${interval(bounds)}) at ${number(widest.params)}`;
  if (told.length === along.length)
    return `${nameOf(better)} is better than ${otherOf(better)} at every size from ${range}, ${by}.`;
  return `${nameOf(better)} is better than ${otherOf(better)} from ${number(told[0].params)} to ${number(told[told.length - 1].params)} parameters, ${by}; elsewhere from ${range} they are not distinguishable.`;
}

function overlap(a: { points: { params: number }[] }, b: { points: { params: number }[] }): [number, number] | null {
  if (a.points.length === 0 || b.points.length === 0) return null;
  const [sizesA, sizesB] = [a, b].map((group) => group.points.map((point) => point.params));
  const low = Math.max(Math.min(...sizesA), Math.min(...sizesB));
  const high = Math.min(Math.max(...sizesA), Math.max(...sizesB));
  return low < high ? [low, high] : null;
}

/** Mean loss at this size, linear in log N between the sizes measured. */
function interpolate(points: readonly { params: number; loss: number }[], params: number): number {
  const sizes = [...new Set(points.map((point) => point.params))].sort((x, y) => x - y);
  const at = (size: number) => mean(points.filter((point) => point.params === size).map((point) => point.loss));
  const above = Math.max(
    1,
    sizes.findIndex((size) => size >= params * (1 - 1e-9)),
  );
  const [low, high] = [sizes[above - 1], sizes[above]];
  const share = (Math.log(params) - Math.log(low)) / (Math.log(high) - Math.log(low));
  return at(low) + share * (at(high) - at(low));
}
