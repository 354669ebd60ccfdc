/**
 * The points of a fit. Checks them, groups runs of one size, decides whether a run or a size counts as one observation,
 * and computes the number of observations that a law needs.
 */
import { ScalingError } from '../errors.ts';
import { countOf, fCumulative, mean } from '../numbers/index.ts';
import { VariableProjection } from './variable-projection.ts';

/** A trained model: its size and its loss. */
export interface Point {
  /** N, the number of parameters, counted in the same way for all points. */
  params: number;
  /** L, in any unit, for example nats per token or bits per byte. */
  loss: number;
  /** A label for messages and plots. Points of equal size are replicates only if their labels are equal too. */
  group?: string;
  /** The name of the run, for messages and plots. */
  run?: string;
}

/** All runs of one size. */
export interface SizeGroup extends Point {
  /** Mean loss of the runs. */
  loss: number;
  losses: number[];
}

/**
 * A law with p parameters needs p + SPARE_RUNS runs, because with one degree of freedom intervals are 13 standard
 * errors wide.
 */
const SPARE_RUNS = 2;
/** A law with p parameters needs p + SPARE_SIZES sizes. */
const SPARE_SIZES = 1;
/**
 * Runs are pooled only if sizes deviate from the law less than the median of studies in which only seeds scatter. With the
 * usual 5 % test, a size's own deviation is missed so often that intervals hold the true exponent in 81 to 88 % of
 * studies (docs/scaling.md).
 */
const POOLING_LIMIT = 0.5;
/** The limit where the means of sizes are too few for the law. */
const LACK_OF_FIT_CONFIDENCE = 0.95;

/**
 * Checks that the size and the loss of a point are positive numbers.
 *
 * @param index its position in the list, for the message
 * @throws ScalingError if one of them is not
 */
export function checkPoint(point: Point, index: number): void {
  const name = `point ${index + 1}${point.group === undefined ? '' : ` (${point.group})`}`;
  if (!(Number.isFinite(point.params) && point.params > 0))
    throw new ScalingError(`${name} has params ${point.params}: a model size is a number above 0`);
  if (!(Number.isFinite(point.loss) && point.loss > 0))
    throw new ScalingError(`${name} has loss ${point.loss}: a loss is a number above 0; leave out runs that diverged`);
}

/** Groups points by size and label, ordered by size. */
export function groupBySize(points: readonly Point[]): SizeGroup[] {
  const groups = new Map<string, SizeGroup>();
  for (const { params, loss, group } of points) {
    const key = `${params} ${group ?? ''}`;
    const sizeGroup = groups.get(key) ?? { params, loss: 0, group, losses: [] };
    sizeGroup.losses.push(loss);
    sizeGroup.loss = mean(sizeGroup.losses);
    groups.set(key, sizeGroup);
  }
  return [...groups.values()].sort((a, b) => a.params - b.params);
}

/** Whether there are enough runs and sizes for a law with this many parameters. */
export function isEnough(runs: number, sizes: number, parameters: number): boolean {
  return runs >= parameters + SPARE_RUNS && sizes >= parameters + SPARE_SIZES;
}

/**
 * Describes how many runs or sizes are missing for a law with this number of parameters: 2 without a constant, 3 with
 * one.
 */
export function describeMissingRuns(runs: number, sizes: number, parameters: number): string {
  const form = parameters === 2 ? 'a·N^(−α)' : 'a·N^(−α) + c';
  const needed = `the law ${form} needs at least ${parameters + SPARE_RUNS} runs of ${parameters + SPARE_SIZES} sizes`;
  const missing = Math.max(parameters + SPARE_RUNS - runs, parameters + SPARE_SIZES - sizes);
  const kind = sizes < parameters + SPARE_SIZES ? ' of further sizes' : '';
  return `${needed}, and there ${runs === 1 ? 'is' : 'are'} ${countOf(runs, 'run')} of ${countOf(sizes, 'size')}: ${missing} more${kind} ${missing === 1 ? 'is' : 'are'} missing`;
}

/**
 * Decides by a lack-of-fit F test whether each run counts as one observation. Runs of one size share that size's shape
 * and learning rate. If the sizes deviate from the law by more than the seeds of one size vary, the runs of a size are
 * not independent, and only the mean of each size counts.
 *
 * @returns the unit that counts as one observation: 'run' or 'size'
 * @see Draper and Smith 1998, "Applied regression analysis", chapter 2: lack of fit and pure error
 * @see Bancroft 1964, "Analysis and inference for incompletely specified models involving the use of preliminary tests
 *   of significance": a preliminary test needs a high level
 */
export function observationUnit(
  points: readonly Point[],
  sizes: readonly SizeGroup[],
  confidence: number,
): 'run' | 'size' {
  const pureDegrees = points.length - sizes.length;
  const parameters = isEnough(points.length, sizes.length, 3) ? 3 : 2;
  const lackDegrees = sizes.length - parameters;
  if (pureDegrees < 1 || lackDegrees < 1) return 'run';
  const pure = sizes.reduce((sum, size) => sum + size.losses.reduce((s, loss) => s + (loss - size.loss) ** 2, 0), 0);
  const lack = new VariableProjection(points, parameters === 3).best.rss - pure;
  const f = lack / lackDegrees / (pure / pureDegrees);
  const limit = isEnough(sizes.length, sizes.length, parameters)
    ? POOLING_LIMIT
    : Math.max(LACK_OF_FIT_CONFIDENCE, confidence);
  return fCumulative(f, lackDegrees, pureDegrees) > limit ? 'size' : 'run';
}
