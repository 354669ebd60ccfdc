/** The texts in the plot of the scaling laws: names of sizes beside points, and names and exponents beside curves. */
import { type AlphaInterval, type ChinchillaFit, isRefusal } from '../../scaling/index.ts';
import { type Series, spread } from '../style/index.ts';
import type { CurvePoint, RunPoint } from './run-points.ts';

/**
 * Names of the sizes, above the points of the uppermost series and below those of the lowest. There is no space for
 * them in between.
 *
 * @param domain of the y axis
 * @param height of the panel in pixels
 */
export function sizeLabels(runs: readonly RunPoint[], domain: [number, number], height: number) {
  const sizes = new Map<string, RunPoint[]>();
  for (const run of runs) {
    const key = `${run.series} ${run.size} ${run.params}`;
    sizes.set(key, [...(sizes.get(key) ?? []), run]);
  }
  const offset = (Math.log(domain[1] / domain[0]) / height) * 16;
  const meanOf = (series: string) => {
    const losses = runs.filter((run) => run.series === series).map((run) => Math.log(run.loss));
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };
  const order = [...new Set(runs.map((run) => run.series))].sort((a, b) => meanOf(a) - meanOf(b));
  return [...sizes.values()].flatMap((members) => {
    const { series, size, params } = members[0];
    const place = order.indexOf(series);
    if (place > 0 && place < order.length - 1) return [];
    const losses = members.map((run) => Math.log(run.loss));
    const log = place === 0 ? Math.min(...losses) - offset : Math.max(...losses) + offset;
    return [{ series, size, params, label_at: Math.exp(log) }];
  });
}

/**
 * Name, exponent and interval at the right of each series, moved apart if they would overlap.
 *
 * @param domains of the axes
 * @param height of the panel in pixels
 */
export function seriesLabels(
  series: readonly Series[],
  runs: readonly RunPoint[],
  curves: readonly CurvePoint[],
  { x, y }: { x: [number, number]; y: [number, number] },
  height: number,
) {
  const toPixel = (loss: number) => (height * Math.log(y[1] / loss)) / Math.log(y[1] / y[0]);
  const toLoss = (pixel: number) => y[1] * (y[0] / y[1]) ** (pixel / height);
  const shown = series.flatMap((one) => {
    const points = [...curves, ...runs].filter((point) => point.series === one.name);
    const end = points.reduce<(typeof points)[number] | undefined>(
      (last, point) => (last && last.params > point.params ? last : point),
      undefined,
    );
    return end ? [{ one, end }] : [];
  });
  const pixels = spread(
    shown.map(({ end }) => toPixel(end.loss) - 16),
    78,
    [6, height - 54],
  );
  return shown.map(({ one: { name, fit } }, i) => ({
    series: name,
    ...lawLabel(fit),
    params: x[1],
    label_at: toLoss(pixels[i]),
  }));
}

/**
 * The exponent of a law, and lines with its interval. Where no floor was found, the exponent and its interval hold only
 * if there is none. The interval that holds in both cases stands below.
 */
export function lawLabel({ fit, with_tokens: tokens }: Series['fit']): { law: string; interval: string[] } {
  if (isRefusal(fit) && tokens && !('refused' in tokens)) return tokensLabel(tokens);
  if (isRefusal(fit)) return { law: 'no law supported', interval: [] };
  const { form, confidence, intervals, alpha_without_floor: alone } = fit;
  const percent = `${Number((confidence * 100).toPrecision(3))} %`;
  const either = intervals.alpha === null ? undefined : alphaRange(intervals.alpha);
  const exponent = `α = ${digits(fit.parameters.alpha)}`;
  if (form !== 'power') return { law: exponent, interval: either === undefined ? [] : [`${percent}: ${either}`] };
  return {
    law: `${exponent} if no floor`,
    interval: [
      ...(alone === null ? [] : [`${percent}: ${range(alone)}`]),
      ...(either === undefined ? [] : [`floor or not: ${either}`]),
    ],
  };
}

/** Whether the runs of a group support a law: of the size, or of size and tokens. */
export function hasLaw({ fit, with_tokens: tokens }: Series['fit']): boolean {
  return !isRefusal(fit) || Boolean(tokens && !('refused' in tokens));
}

/** The exponents of a law of size and tokens. */
function tokensLabel({ parameters, intervals, confidence }: ChinchillaFit): { law: string; interval: string[] } {
  const percent = `${Number((confidence * 100).toPrecision(3))} %`;
  return {
    law: `L(N, D): α = ${digits(parameters.alpha)}, β = ${digits(parameters.beta)}`,
    interval: [`${percent}: α ${range(intervals.alpha)}`, `β ${range(intervals.beta)}`],
  };
}

/** Pixels between the labels of two floors, at least. */
const FLOOR_GAP = 14;

/**
 * Where the label of each floor stands: on its rule. Where the rule of another floor would run through the label, the
 * labels of both stand one above the other on the upper rule.
 *
 * @param domain of the y axis
 * @param height of the panel in pixels
 */
export function floorLabels<Floor extends { loss: number }>(
  floors: readonly Floor[],
  domain: [number, number],
  height: number,
): (Floor & { label_at: number })[] {
  const gap = (domain[1] / domain[0]) ** (FLOOR_GAP / height);
  const stacks: Floor[][] = [];
  for (const floor of [...floors].sort((a, b) => a.loss - b.loss)) {
    stacks.push([floor]);
    while (stacks.length > 1 && stacks.at(-2)!.at(-1)!.loss * gap ** stacks.at(-2)!.length > stacks.at(-1)![0].loss)
      stacks.push(stacks.splice(-2).flat());
  }
  return stacks.flatMap((stack) => stack.map((floor, i) => ({ ...floor, label_at: stack.at(-1)!.loss * gap ** i })));
}

/** The floor of a law and its interval, as text. A floor is known more exactly than an exponent: three digits. */
export function floorLabel(name: string, c: number, interval: readonly [number, number] | null): string {
  const [low, high] = interval ?? [];
  const bounds = low === undefined || high === undefined ? '' : `, ${low.toPrecision(3)} to ${high.toPrecision(3)}`;
  return `${name}: floor c = ${c.toPrecision(3)}${bounds}`;
}

function digits(value: number): string {
  return value.toPrecision(2).replace('-', '−');
}

/** The interval of α, which may have no upper end. */
function alphaRange([low, high]: AlphaInterval): string {
  return high === null ? `${digits(low)} and above` : range([low, high]);
}

function range([low, high]: readonly [number, number]): string {
  return `${digits(low)} to ${digits(high)}`;
}
