/**
 * scaling_results.json as published studies of symbolic music write it: a list of models for each kind of architecture,
 * `transformer` and `rnn`, with the same keys. The fits stand beside the lists, so that a program that reads the lists is
 * not disturbed.
 */

import { isRefusal } from '../size-law/index.ts';
import { type RunRow, wholeRuns } from '../tables/index.ts';
import type { GroupFit } from './group-fit.ts';
import { groupName, type Study } from './study.ts';

/** A trained model, in the words of published studies. Losses are in nats per token. */
export interface PublishedModel {
  /** The size, for example "gpt-small"; the name of the run if the table has no sizes. */
  model_name: string;
  run: string;
  /** `transformer`, `rnn`, or the name in the table. */
  architecture: string;
  tokenizer: string;
  seed: number | null;
  num_parameters: number;
  tokens: number | null;
  train_loss: number | null;
  val_loss: number | null;
  test_loss: number | null;
  test_bits_per_byte: number | null;
  perplexity: number | null;
  training_time_seconds: number | null;
  tokens_per_second: number | null;
  /** Always null: the engines train on CPUs. */
  gpu_memory_mb: null;
  diverged: boolean;
}

/** A law in short. Intervals have the confidence of the study. */
export type PublishedFit =
  | {
      /** The loss that was fitted. */
      loss: string;
      formula: string;
      alpha: number;
      a: number;
      c: number;
      alpha_interval: readonly [number, number | null] | null;
      c_interval: readonly [number, number] | null;
      r_squared: number;
    }
  | {
      loss: string;
      formula: string;
      E: number;
      A: number;
      B: number;
      alpha: number;
      beta: number;
      alpha_interval: readonly [number, number];
      beta_interval: readonly [number, number];
      r_squared: number;
    }
  | { loss: string; refused: string };

/** The contents of scaling_results.json: lists of models by architecture, and `fits`. */
export interface PublishedResults {
  transformer: PublishedModel[];
  rnn: PublishedModel[];
  /** By architecture, with the tokenizer if there are several: "transformer" or "transformer-bpe". */
  fits: Record<string, PublishedFit>;
  [architecture: string]: PublishedModel[] | Record<string, PublishedFit>;
}

/**
 * Writes the table of runs and the fits in the form of published studies.
 *
 * @param rows the table of runs
 * @param study as returned by `fitStudy` for this table
 */
export function publishedResults(rows: readonly RunRow[], study: Study): PublishedResults {
  const results: PublishedResults = { transformer: [], rnn: [], fits: {} };
  for (const row of wholeRuns(rows)) {
    const architecture = publishedArchitecture(row.architecture);
    const list = (results[architecture] ??= []) as PublishedModel[];
    list.push({
      model_name: row.size || row.run,
      run: row.run,
      architecture,
      tokenizer: row.tokenizer,
      seed: row.seed,
      num_parameters: row.params,
      tokens: row.tokens,
      train_loss: row.train_loss,
      val_loss: row.val_loss,
      test_loss: row.test_loss,
      test_bits_per_byte: row.test_bits_per_byte,
      perplexity: row.perplexity,
      training_time_seconds: row.seconds,
      tokens_per_second: row.tokens_per_second,
      gpu_memory_mb: null,
      diverged: row.diverged,
    });
  }
  const hasSeveralTokenizers = new Set(rows.map(({ tokenizer }) => tokenizer)).size > 1;
  const groups = new Set(rows.map(groupName));
  for (const group of groups) {
    const fit = study.fits[group];
    if (fit === undefined) continue;
    const key = publishedArchitecture(fit.architecture);
    results.fits[hasSeveralTokenizers ? `${key}-${fit.tokenizer}` : key] = publishedFit(fit, study.loss);
  }
  return results;
}

/** `transformer` and `rnn` for the architectures that published studies call so. */
function publishedArchitecture(architecture: string): string {
  if (/^(gpt|transformer)/i.test(architecture)) return 'transformer';
  if (/^(lstm|rnn|gru)/i.test(architecture)) return 'rnn';
  return architecture === '' || architecture === 'fits' ? 'all' : architecture;
}

function publishedFit({ fit, with_tokens, law }: GroupFit, loss: string): PublishedFit {
  if (law === 'L(N, D)' && with_tokens !== null && !('refused' in with_tokens)) {
    const { parameters, intervals, points, residuals, formula } = with_tokens;
    const errors = points.map((point, i) => point.loss * (1 - Math.exp(-residuals[i])));
    return {
      ...{ loss, formula, ...parameters },
      alpha_interval: intervals.alpha,
      beta_interval: intervals.beta,
      r_squared: rSquared(points, errors),
    };
  }
  if (isRefusal(fit)) {
    const refused =
      with_tokens !== null && 'refused' in with_tokens ? `${fit.refused}; ${with_tokens.refused}` : fit.refused;
    return { loss, refused };
  }
  return {
    ...{ loss, formula: fit.formula, ...fit.parameters },
    alpha_interval: fit.intervals.alpha,
    c_interval: fit.intervals.c,
    r_squared: rSquared(fit.points, fit.residuals),
  };
}

/** The share of the variance of the losses that the law explains. */
function rSquared(points: readonly { loss: number }[], residuals: readonly number[]): number {
  const mean = points.reduce((sum, { loss }) => sum + loss, 0) / points.length;
  const total = points.reduce((sum, { loss }) => sum + (loss - mean) ** 2, 0);
  return 1 - residuals.reduce((sum, residual) => sum + residual ** 2, 0) / total;
}
