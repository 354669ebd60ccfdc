/**
 * How long the stages of one training run take on one core: training, evaluation and samples. A guess before anything
 * has run, for cost.ts. repro corrects it by what stages have taken.
 *
 *     seconds = start + floating-point operations / speed + work for each token
 *
 * The forward pass takes a third of the operations of training. The sizes of the splits are not known before the data
 * set is there, so they are guessed too.
 */
import { flopsPerToken } from '../../lib/models/index.ts';
import type { Run } from './grid.ts';
import type { Params } from './params.ts';
import { configOf } from './price.ts';
import type { TrainingSpeed } from './training-speed.ts';

/** Seconds of CPU time to start a program with an engine, and to read its data. */
const START = { train: 0.5, evaluate: 0.8, generate: 0.6 };
/** A decoder reads all weights for one token of each sample, so it reaches this share of the speed of training. */
const DECODER_SPEED = 0.2;
/**
 * Seconds of CPU time for each token of a sample outside the model: drawing it, the rules of the dialect, the check.
 */
const SECONDS_PER_SAMPLED_TOKEN = 3e-5;
/** Bytes of text of a piece; as for the synthetic data set. */
const BYTES_PER_PIECE = 1960;
/** Pieces of the data set `examples`. */
const EXAMPLES = 25;
/** Bytes of text per token (docs/tokenizers.md). */
const BYTES_PER_TOKEN = { char: 1, music: 1.9, bpe: 4.3 };

/** Seconds on one core, by stage of the pipeline. */
export interface StageCosts {
  train: number;
  evaluate: number;
  generate: number;
}

/**
 * Guesses what the stages of a run take.
 *
 * @param speed operations per second of one core
 * @param training seconds of its training steps
 */
export function stageCosts(params: Params, run: Run, speed: TrainingSpeed, training: number): StageCosts {
  const { train, generate } = params;
  const config = configOf(params, run);
  const forward = flopsPerToken(config, train.block) / 3 / speed(config);
  const val = splitTokens(params, run, 'val');
  const inTraining = train.evaluations * Math.min(train.evaluation_tokens, val);
  const sampled = (generate.count + generate.free) * generate.max_tokens;
  return {
    train: START.train + training + inTraining * forward,
    evaluate: START.evaluate + evaluatedTokens(params, run) * forward,
    generate: START.generate + sampled * (forward / DECODER_SPEED + SECONDS_PER_SAMPLED_TOKEN),
  };
}

/** Tokens that the evaluation of a run and of its smaller budgets reads, in windows that overlap. */
function evaluatedTokens(params: Params, run: Run): number {
  const { train, evaluate } = params;
  const { stride, context_bytes, budget_splits = ['val', 'test'] } = evaluate;
  const [val, test] = [splitTokens(params, run, 'val'), splitTokens(params, run, 'test')];
  // With characters and half a block of context, the second pass over the test split would be the first one again.
  const isSame = run.tokenizer === 'char' && stride === 0.5 && 2 * context_bytes === train.block;
  const testPasses = context_bytes > 0 && !isSame ? 1 / stride + 2 : 1 / stride;
  const tokens = { val: val / stride, test: test * testPasses };
  const ofBudget = budget_splits.reduce((sum, split) => sum + tokens[split], 0);
  return tokens.val + tokens.test + train.budgets.length * ofBudget;
}

/** Tokens of a split that are evaluated: at most `evaluate.max_bytes` of text. */
function splitTokens({ download, split, evaluate }: Params, { tokenizer }: Run, name: 'val' | 'test'): number {
  const { dataset, pieces, max_files } = download;
  const all =
    dataset === 'synthetic' ? pieces : dataset === 'examples' ? EXAMPLES : max_files || Number.POSITIVE_INFINITY;
  const bytes = Math.min(evaluate.max_bytes, all * BYTES_PER_PIECE * split.fractions[name]);
  return bytes / BYTES_PER_TOKEN[tokenizer as keyof typeof BYTES_PER_TOKEN];
}
