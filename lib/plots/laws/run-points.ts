/** The points, curves and error bars of a study that several plots show, and the titles of their axes. */
import {
  type GroupFit,
  groupName,
  isRefusal,
  lossName,
  type PowerLawFit,
  predict,
  type RunRow,
  type Study,
} from '../../scaling/index.ts';
import { countLabel, type Layout, logTicks, type Series, sizeName, ticks, tooltip } from '../style/index.ts';

/** A training run. */
export interface RunPoint {
  series: string;
  run: string;
  size: string;
  seed: number | null;
  params: number;
  loss: number;
  tokens: number | null;
  learning_rate: number | null;
}

/** A point of a fitted law, with its confidence interval. */
export interface CurvePoint {
  series: string;
  params: number;
  loss: number;
  low: number;
  high: number;
}

/** The seeds of one size: mean, and mean ± one standard deviation. */
export interface SeedSpread {
  series: string;
  size: string;
  params: number;
  tokens: number | null;
  seeds: number;
  loss: number;
  low: number;
  high: number;
}

/** Intervals along each curve. */
const CURVE_STEPS = 80;
/** Numbers of tokens within this factor are one budget: whole batches differ by a few tokens. */
const SAME_BUDGET = 1.02;

/** The runs that the laws were fitted to. Runs that were left out of a fit are not drawn; the study names them. */
export function runsOf(rows: readonly RunRow[], study: Study, series: readonly Series[]): RunPoint[] {
  const names = new Map(series.map(({ group, name }) => [group, name]));
  return rows.flatMap((row) => {
    const group = groupName(row);
    const [params, loss] = [row[study.size], row[study.loss]];
    const fitted = names.has(group) && !study.fits[group].left_out.includes(row.run);
    if (!fitted || typeof params !== 'number' || typeof loss !== 'number') return [];
    const { run, seed, tokens } = row;
    const rate = row.learning_rate;
    const learning_rate = typeof rate === 'number' ? rate : null;
    return [{ series: names.get(group)!, run, size: sizeName(row), seed, params, loss, tokens, learning_rate }];
  });
}

/** The tooltip of a run. Values that no run has are left out. */
export function runTooltip(runs: readonly RunPoint[], loss: string) {
  const has = (field: keyof RunPoint) => runs.some((run) => run[field] !== null);
  return tooltip([
    ['run', 'run'],
    ['loss', lossName(loss), '.4f'],
    ['params', 'parameters', ','],
    ...(has('tokens') ? ([['tokens', 'tokens', ',']] as const) : []),
    ...(has('learning_rate') ? ([['learning_rate', 'learning rate', '.3~g']] as const) : []),
    ...(has('seed') ? ([['seed', 'seed', 'd']] as const) : []),
  ]);
}

/** The fitted law of a series at sizes between its smallest and largest run; empty if the law was refused. */
export function curveOf({ name, fit: { fit } }: Series): CurvePoint[] {
  return isRefusal(fit) ? [] : curve(name, fit);
}

/** The laws L(N) of a series at each of its budgets, if it saw several and so has no law of all its runs. */
export function budgetCurvesOf({
  name,
  fit: { fit: whole, by_budget: budgets = [] },
}: Series): (CurvePoint & { tokens: number })[] {
  if (!isRefusal(whole)) return [];
  return budgets.flatMap(({ tokens, fit }) =>
    isRefusal(fit) ? [] : curve(name, fit).map((point) => ({ ...point, tokens })),
  );
}

function curve(name: string, fit: PowerLawFit): CurvePoint[] {
  const sizes = fit.points.map((point) => point.params);
  const [low, high] = [Math.log(Math.min(...sizes)), Math.log(Math.max(...sizes))];
  const params = Array.from({ length: CURVE_STEPS + 1 }, (_, i) => Math.exp(low + ((high - low) * i) / CURVE_STEPS));
  return predict(fit, params).map((point, i) => ({ series: name, params: params[i], ...point }));
}

/** The spread of the seeds of each size that has several runs of one budget. */
export function seedSpreads(runs: readonly RunPoint[]): SeedSpread[] {
  const sizes = new Map<string, RunPoint[]>();
  for (const run of runs) {
    const key = JSON.stringify([run.series, run.size, run.params, run.tokens]);
    sizes.set(key, [...(sizes.get(key) ?? []), run]);
  }
  return [...sizes.values()].flatMap((members) => {
    if (members.length < 2) return [];
    const { series, size, params, tokens } = members[0];
    const loss = members.reduce((sum, run) => sum + run.loss, 0) / members.length;
    const squares = members.reduce((sum, run) => sum + (run.loss - loss) ** 2, 0);
    const deviation = Math.sqrt(squares / (members.length - 1));
    // Far from 0 in practice; a logarithmic axis cannot show a bar that reaches it.
    const low = Math.max(loss - deviation, loss / 10);
    return [{ series, size, params, tokens, seeds: members.length, loss, low, high: loss + deviation }];
  });
}

/** An interval of a loss at a size. */
export interface LossInterval {
  series: string;
  run: string;
  params: number;
  loss: number;
  low: number;
  high: number;
}

/** Intervals of the loss of each run over the choice of test tunes. Runs whose interval is not known are left out. */
export function testIntervals(runs: readonly RunPoint[], series: readonly Series[]): LossInterval[] {
  const known = new Map(
    series.flatMap(({ fit: { test_split: own, by_budget: budgets = [] } }) =>
      [own, ...budgets.map(({ test_split: one }) => one)].flatMap((one) => Object.entries(one?.losses ?? {})),
    ),
  );
  return runs.flatMap(({ series: name, run, params, loss }) => {
    const interval = known.get(run);
    return interval ? [{ series: name, run, params, loss, low: interval[0], high: interval[1] }] : [];
  });
}

/** The largest size of each series, as the smaller ones predict it, with what was measured. */
export function heldOutPoints(series: readonly Series[]): (Omit<LossInterval, 'run'> & { measured: number })[] {
  return series.flatMap(({ name, fit: { held_out: held } }) => {
    if (!held || 'refused' in held || held.tokens !== null) return [];
    const { params, predicted, low, high, measured } = held;
    return [{ series: name, params, loss: predicted, low: Math.max(low, predicted / 10), high, measured }];
  });
}

/** Whether the runs of a group saw clearly different numbers of tokens. */
export function hasBudgets({ tokens }: Pick<GroupFit, 'tokens'>): boolean {
  return tokens !== null && !isSameBudget(...tokens);
}

/** Whether two numbers of tokens are one budget. */
export function isSameBudget(a: number, b: number | null | undefined): boolean {
  return typeof b === 'number' && Math.max(a, b) <= SAME_BUDGET * Math.min(a, b);
}

/** The title of an axis of sizes. */
export function sizeTitle(size: string): string {
  const known: Record<string, string> = {
    params: 'parameters (N)',
    params_non_embedding: 'parameters without embeddings (N)',
  };
  return known[size] ?? size.replaceAll('_', ' ');
}

/**
 * The x axis of the sizes of models.
 *
 * @param domain the smallest and the largest number of parameters that it shows
 */
export function sizeAxis(domain: [number, number], { size }: Pick<Study, 'size'>, layout: Layout) {
  return {
    field: 'params',
    type: 'quantitative',
    scale: { type: 'log', domain, nice: false },
    axis: { title: sizeTitle(size), ...ticks(logTicks(domain, layout === 'wide' ? 7 : 4), countLabel) },
  } as const;
}

/** The title of an axis of losses. */
export function lossTitle(loss: string): string {
  return loss.endsWith('_loss') ? `${lossName(loss)} (nats a token)` : lossName(loss);
}
