/** Checks a model configuration. Each error names the wrong key and the values that are allowed. */

import { ModelError } from './errors.ts';
import type { ModelConfig } from './model-config.ts';

/**
 * Checks that a configuration describes a model.
 *
 * @throws ModelError whose `key` is the setting that is wrong
 */
export function checkConfig(config: ModelConfig): void {
  switch (config.architecture) {
    case 'gpt':
      checkVocabulary(config.vocabularySize);
      for (const key of ['block', 'layers', 'width', 'heads'] as const) checkPositive(key, config[key]);
      checkDropout(config.dropout);
      if (typeof config.bias !== 'boolean')
        throw new ModelError(`bias is ${describeSetting(config.bias)}; it must be true or false`, 'bias');
      if ('state' in config)
        throw new ModelError(
          `state is ${describeSetting(config.state)}; only an LSTM has a state to carry or reset, a GPT sees its window alone`,
          'state',
        );
      checkHeads(config.width, config.heads);
      return;
    case 'lstm':
      checkVocabulary(config.vocabularySize);
      for (const key of ['block', 'layers', 'width', 'embedding'] as const) checkPositive(key, config[key]);
      checkDropout(config.dropout);
      if (!['reset', 'carried', undefined].includes(config.state))
        throw new ModelError(`state is ${describeSetting(config.state)}; it must be "reset" or "carried"`, 'state');
      return;
    default: {
      const { architecture } = config satisfies never as { architecture: unknown };
      throw new ModelError(
        `architecture is ${describeSetting(architecture)}; it must be "gpt" or "lstm"`,
        'architecture',
      );
    }
  }
}

/** Largest values: 4,096 layers, 16.8 million of anything else. Models that fit into memory are far smaller. */
const LIMITS = { layers: 2 ** 12, other: 2 ** 24 };

function checkPositive(key: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw new ModelError(`${key} is ${describeSetting(value)}; it must be a whole number of at least 1`, key);
  const limit = key === 'layers' ? LIMITS.layers : LIMITS.other;
  if ((value as number) > limit) throw new ModelError(`${key} is ${value}; it must be at most ${limit}`, key);
}

function checkVocabulary(size: unknown): void {
  checkPositive('vocabularySize', size);
  if (size === 1)
    throw new ModelError(
      'vocabularySize is 1; it must be at least 2, or there is nothing to predict',
      'vocabularySize',
    );
}

function checkDropout(value: unknown): void {
  if (typeof value !== 'number' || !(value >= 0 && value < 1))
    throw new ModelError(
      `dropout is ${describeSetting(value)}; it must be a probability of at least 0 and below 1`,
      'dropout',
    );
}

function checkHeads(width: number, heads: number): void {
  if (width % heads === 0) return;
  const divisors = [];
  for (let n = 1; n <= width; n++) if (width % n === 0) divisors.push(n);
  const below = divisors.findLast((n) => n < heads);
  const above = divisors.find((n) => n > heads);
  const nearest = [below, above].filter((n) => n !== undefined).join(' and ');
  throw new ModelError(
    `heads is ${heads}, which does not divide the width of ${width}; the nearest that do are ${nearest}`,
    'heads',
  );
}

/** A value of a setting for an error. It may be anything that JSON holds, of any size. */
export function describeSetting(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100));
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a mapping' : String(value);
}
