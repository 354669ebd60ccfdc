/**
 * The error of the test split: a test split is a sample of tunes, and another sample would give other losses. The tunes
 * are drawn with replacement, the same tunes for every run (a paired bootstrap), and the losses, the laws and the
 * differences between architectures are computed again from each sample.
 *
 * @see Efron and Tibshirani 1993, "An introduction to the bootstrap"
 */

import { ScalingError } from '../errors.ts';
import { type AlphaInterval, type Interval, mulberry32, quantileInterval } from '../numbers/index.ts';
import {
  groupBySize,
  isEnough,
  isRefusal,
  type Point,
  type PowerLawFit,
  type Refusal,
  VariableProjection,
} from '../size-law/index.ts';
import { readTable, type TableSchema } from '../tables/index.ts';

/** The loss of one run on one tune of the test split. */
export interface TuneLoss {
  /** Identifies the tune, the same in all runs. */
  tune: string;
  tokens: number;
  bytes: number;
  notes: number | null;
  /** Bits of all tokens of the tune. */
  bits: number;
}

const SCHEMA: TableSchema = {
  columns: { tune: 'name', tokens: 'number', bytes: 'positive', notes: 'number', bits: 'number' },
  required: ['tune', 'tokens', 'bytes', 'bits'],
};

/**
 * Reads the losses of one run by tune.
 *
 * @param csvText a table with the columns tune, tokens, bytes, notes and bits
 * @param file the path, for messages
 * @throws TableError if the table is wrong
 */
export function readTuneLosses(csvText: string, file = 'losses.csv'): TuneLoss[] {
  return readTable(csvText, SCHEMA, file).map(({ tune, tokens, bytes, notes, bits }) => ({
    tune: tune as string,
    tokens: tokens as number,
    bytes: bytes as number,
    notes: (notes as number | null | undefined) ?? null,
    bits: bits as number,
  }));
}

/** The error of the test split in the fit of one group. The names are the keys of scaling.json. */
export interface TestSplitError {
  tunes: number;
  resamples: number;
  /** The loss of each run: its interval from the choice of tunes alone. */
  losses: Record<string, Interval>;
  /**
   * Intervals from the choice of tunes alone. Those of α and c are null if the group has no law, or c was not fitted.
   */
  tunes_only: { alpha: Interval | null; c: Interval | null };
  /** Intervals from the scatter of runs and the choice of tunes together. */
  intervals: { alpha: AlphaInterval | null; c: Interval | null };
}

/** Samples of tunes. */
const RESAMPLES = 500;
const SEED = 1;
/** Steps of the scan over α in each sample. */
const GRID_STEPS = 60;

/** The losses of runs on resampled test splits. */
export class TuneResamples {
  readonly tunes: number;
  readonly resamples: number;
  /** For each sample: how often each tune was drawn. */
  readonly #counts: Uint16Array[];
  /** The numerator and the denominator of the loss of each tune, in the order of the tunes, by run. */
  readonly #parts: Map<string, { above: number[]; below: number[] }>;
  readonly #scale: (ratio: number) => number;

  /**
   * @param losses the losses of each run on each tune
   * @param column the loss, for example test_bits_per_byte
   * @throws ScalingError if the runs were not measured on the same tunes
   */
  constructor(losses: ReadonlyMap<string, readonly TuneLoss[]>, column: string) {
    const denominator = denominatorOf(column)!;
    this.#scale = scaleOf(column);
    const [first] = losses.values();
    const names = first.map(({ tune }) => tune);
    this.tunes = names.length;
    this.resamples = RESAMPLES;
    this.#parts = new Map(
      [...losses].map(([run, rows]) => {
        const byTune = new Map(rows.map((row) => [row.tune, row]));
        const missing = names.find((name) => !byTune.has(name));
        if (missing !== undefined || rows.length !== names.length)
          throw new ScalingError(
            `the runs were measured on different test tunes: run ${run} has ${rows.length}, another has ${names.length}${missing === undefined ? '' : `, and it lacks ${missing}`}`,
          );
        const ordered = names.map((name) => byTune.get(name)!);
        // A tune without notes that can be read counts in no loss per note.
        const above = ordered.map((row) => (row[denominator] === null ? 0 : row.bits));
        return [run, { above, below: ordered.map((row) => row[denominator] ?? 0) }];
      }),
    );
    const random = mulberry32(SEED);
    this.#counts = Array.from({ length: RESAMPLES }, () => {
      const counts = new Uint16Array(this.tunes);
      for (let i = 0; i < this.tunes; i++) counts[Math.floor(random() * this.tunes)]++;
      return counts;
    });
  }

  /** Whether the loss of each tune is known for all these points. */
  hasAll(points: readonly Point[]): boolean {
    return points.length > 0 && points.every(({ run }) => run !== undefined && this.#parts.has(run));
  }

  /**
   * The loss of a run on each resampled test split.
   *
   * @param loss its loss on the test split, to which the samples are scaled: tunes may be cut into windows differently
   */
  lossesOf(run: string, loss: number): number[] {
    const { above, below } = this.#parts.get(run)!;
    const ratio = (weight: (tune: number) => number) => {
      let [numerator, denominator] = [0, 0];
      for (let i = 0; i < above.length; i++) {
        numerator += weight(i) * above[i];
        denominator += weight(i) * below[i];
      }
      return this.#scale(numerator / denominator);
    };
    const whole = ratio(() => 1);
    return this.#counts.map((counts) => (loss * ratio((i) => counts[i])) / whole);
  }
}

/** The denominator of a loss column, by which the bits of a tune are divided. Undefined if the column has none. */
export function denominatorOf(column: string): 'bytes' | 'tokens' | 'notes' | undefined {
  if (!/^test_|^bits_per_|^perplexity$/.test(column)) return undefined;
  if (/bits_per_byte/.test(column)) return 'bytes';
  if (/bits_per_note/.test(column)) return 'notes';
  return /loss$|perplexity$/.test(column) ? 'tokens' : undefined;
}

/** A perplexity is the exponential of the loss in nats. The unit of other losses cancels. */
function scaleOf(column: string): (ratio: number) => number {
  return /perplexity$/.test(column) ? (ratio) => Math.exp(ratio * Math.LN2) : (ratio) => ratio;
}

/**
 * Refits the law on each resampled test split.
 *
 * @param points the points of the fit, with the names of their runs
 * @param withConstant whether c is fitted
 * @returns a law for each sample
 */
export function resampleLaws(
  points: readonly Point[],
  fit: PowerLawFit,
  withConstant: boolean,
  resamples: TuneResamples,
): VariableProjection[] {
  const losses = points.map(({ run, loss }) => resamples.lossesOf(run!, loss));
  return Array.from({ length: resamples.resamples }, (_, sample) => {
    const drawn = points.map((point, i) => ({ ...point, loss: losses[i][sample] }));
    return new VariableProjection(fit.observation === 'run' ? drawn : groupBySize(drawn), withConstant, GRID_STEPS);
  });
}

/** The error of the test split in the fit of a group. */
export function testSplitError(
  points: readonly Point[],
  fit: PowerLawFit | Refusal,
  resamples: TuneResamples,
  confidence: number,
): TestSplitError {
  const losses = Object.fromEntries(
    points.map(({ run, loss }) => [run!, quantileInterval(resamples.lossesOf(run!, loss), confidence)]),
  );
  const base = { tunes: resamples.tunes, resamples: resamples.resamples, losses };
  const none = { alpha: null, c: null };
  if (isRefusal(fit) || fit.intervals.alpha === null || fit.intervals.c === null)
    return { ...base, tunes_only: none, intervals: none };
  const observed = fit.observation === 'run' ? points : groupBySize(points);
  if (!isEnough(observed.length, fit.sizes, 3)) return { ...base, tunes_only: none, intervals: none };
  const { best } = new VariableProjection(observed, true);
  const laws = resampleLaws(points, fit, true, resamples).map((law) => law.best);
  const alpha = quantileInterval(
    laws.map((law) => law.alpha),
    confidence,
  );
  const c = quantileInterval(
    laws.map((law) => law.constant),
    confidence,
  );
  const [low, high] = fit.intervals.alpha;
  const together = combine(best.alpha, [low, high ?? Number.POSITIVE_INFINITY], alpha);
  return {
    ...base,
    tunes_only: { alpha, c },
    intervals: {
      alpha: [Math.max(0, together[0]), Number.isFinite(together[1]) ? together[1] : null],
      c: combine(best.constant, fit.intervals.c, c).map((bound) => Math.max(0, bound)) as Interval,
    },
  };
}

/**
 * Combines the intervals of two independent errors of one estimate: the distances to the estimate add as squares.
 *
 * @see Zou and Donner 2008, "Construction of confidence limits about effect measures"
 */
export function combine(estimate: number, a: Interval, b: Interval): Interval {
  const below = Math.hypot(Math.max(0, estimate - a[0]), Math.max(0, estimate - b[0]));
  const above = Math.hypot(Math.max(0, a[1] - estimate), Math.max(0, b[1] - estimate));
  return [estimate - below, estimate + above];
}
