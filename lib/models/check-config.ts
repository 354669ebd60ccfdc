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
      checkOneOf('positions', config.positions, ['learned', 'rotary']);
      checkOneOf('init', config.init, ['gpt2', 'fan-in']);
      if (config.positions === 'rotary') checkEvenHeads(config.width, config.heads);
      return;
    case 'lstm':
      checkVocabulary(config.vocabularySize);
      for (const key of ['block', 'layers', 'width', 'embedding'] as const) checkPositive(key, config[key]);
      checkDropout(config.dropout);
      checkOneOf('state', config.state, ['reset', 'carried']);
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

/** Checks a setting that may be left out. */
function checkOneOf(key: string, value: unknown, [first, second]: [string, string]): void {
  if (value !== undefined && value !== first && value !== second)
    throw new ModelError(`${key} is ${describeSetting(value)}; it must be "${first}" or "${second}"`, key);
}

function checkHeads(width: number, heads: number): void {
  if (width % heads === 0) return;
  throw new ModelError(
    `heads is ${heads}, which does not divide the width of ${width}; the nearest that do are ${nearestHeads(width, heads)}`,
    'heads',
  );
}

/** Rotary positions rotate pairs of numbers, so the width of a head must be even. */
function checkEvenHeads(width: number, heads: number): void {
  const each = width / heads;
  if (each % 2 === 0) return;
  const nearest = nearestHeads(width, heads, (n) => (width / n) % 2 === 0);
  const advice = nearest === '' ? 'choose an even width' : `with a width of ${width}, heads may be ${nearest}`;
  throw new ModelError(
    `positions is "rotary", which needs heads of an even width; ${heads} heads of a width of ${width} are ${each} wide each; ${advice}`,
    'positions',
  );
}

/** The nearest numbers of heads below and above this one that divide the width and are accepted, joined by "and". */
function nearestHeads(width: number, heads: number, accepts: (heads: number) => boolean = () => true): string {
  const divisors = [];
  for (let n = 1; n <= width; n++) if (width % n === 0 && accepts(n)) divisors.push(n);
  const below = divisors.findLast((n) => n < heads);
  const above = divisors.find((n) => n > heads);
  return [below, above].filter((n) => n !== undefined).join(' and ');
}

/** A value of a setting for an error. It may be anything that JSON holds, of any size. */
export function describeSetting(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100));
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a mapping' : String(value);
}
