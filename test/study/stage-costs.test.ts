/** What the stages of a run are said to take before anything has run. */
import { expect, test } from 'vitest';
import { flopsPerToken } from '../../lib/models/index.ts';
import type { Params } from '../../stages/parts/params.ts';
import { configOf } from '../../stages/parts/price.ts';
import { stageCosts } from '../../stages/parts/stage-costs.ts';
import { readStudies } from '../../stages/parts/studies.ts';

const study = readStudies().get('default')!;
const run = { name: 'char-gpt-tiny-1', tokenizer: 'char', size: 'gpt-tiny', seed: 1 };

/** Costs of a machine that trains on one token in 3 s, so that a forward pass takes 1 s for each token. */
function costs(params: Params, of = run) {
  const config = configOf(params, of);
  return stageCosts(params, of, () => flopsPerToken(config, params.train.block) / 3, 0);
}

test('an evaluation reads both splits in windows that overlap by half, and the test split for each smaller budget', () => {
  // 510 pieces of 1,960 bytes: 49,980 in the validation split and 99,960 in the test split, each read twice.
  expect(costs(study).evaluate).toBeCloseTo(0.8 + 2 * 49_980 + (1 + study.train.budgets.length) * 2 * 99_960);
  const params = structuredClone(study);
  params.train.budgets = [];
  expect(costs(params).evaluate).toBeCloseTo(0.8 + 2 * 49_980 + 2 * 99_960);
  params.evaluate.stride = 1;
  params.evaluate.context_bytes = 0;
  expect(costs(params).evaluate).toBeCloseTo(0.8 + 49_980 + 99_960);
  // A token of bpe has 4.3 bytes.
  const bpe = costs(params, { ...run, name: 'bpe-gpt-tiny-1', tokenizer: 'bpe' });
  expect(bpe.evaluate).toBeCloseTo(0.8 + (49_980 + 99_960) / 4.3);
});

test('of a data set of unknown size, as much is evaluated as may be', () => {
  const params = structuredClone(study);
  params.download.dataset = 'https://example.org/midi.zip';
  expect(costs(params).evaluate).toBeCloseTo(0.8 + (1 + 1 + study.train.budgets.length) * 2 * 1_000_000);
  params.download.max_files = 510;
  expect(costs(params)).toEqual(costs(study));
});

test('samples are drawn at a fifth of the speed of training, and evaluations during training are counted', () => {
  const { count, free, max_tokens } = study.generate;
  expect(costs(study).generate).toBeCloseTo(0.6 + (count + free) * max_tokens * (5 + 3e-5));
  expect(costs(study).train).toBeCloseTo(0.5 + study.train.evaluations * study.train.evaluation_tokens);
});
