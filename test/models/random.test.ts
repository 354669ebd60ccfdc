/** The random number generator, and the initial weights that it draws. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type GptConfig, initialWeights, type LstmConfig, Random } from '../../lib/models/index.ts';
import { naturalLogarithm, philox } from '../../lib/models/random.ts';

const draws = (count: number, draw: () => number) => Array.from({ length: count }, draw);
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
const deviation = (values: ArrayLike<number>) => {
  const centre = mean(values);
  return Math.sqrt(mean(Array.from(values, (x) => (x - centre) ** 2)));
};

describe('random numbers', () => {
  test.each([
    ['zeros', [0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ones', Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [
      ...(['π', [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]] as const),
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ])('are Philox4x32-10: the known answer for %s', (_, counter, key, answer) => {
    const out = new Uint32Array(4);
    philox([...counter], [...key], out);
    expect([...out].map((word) => word.toString(16).padStart(8, '0')).join(' ')).toBe(answer);
  });

  test('are the same for the same seed, purpose and index, and differ for others', () => {
    const first = (seed: number, purpose: string, index: number) => new Random(seed, purpose, index).uint32();
    expect(first(1, 'a', 2)).toBe(first(1, 'a', 2));
    expect(new Set([first(1, 'a', 2), first(2, 'a', 2), first(1, 'b', 2), first(1, 'a', 3)]).size).toBe(4);
    expect(first(2 ** 32 + 1, 'a', 0)).not.toBe(first(1, 'a', 0));
  });

  test('are uniform over [0, 1), and over whole numbers below a bound', () => {
    const random = new Random(1, 'test');
    const uniform = draws(20_000, () => random.uniform());
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    expect(mean(uniform)).toBeCloseTo(0.5, 2);
    expect(deviation(uniform)).toBeCloseTo(Math.sqrt(1 / 12), 2);
    const counts = new Map<number, number>();
    for (const n of draws(30_000, () => random.below(3))) counts.set(n, (counts.get(n) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([0, 1, 2]);
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  test('are normal, with the fourth moment of a normal distribution', () => {
    const random = new Random(1, 'test');
    const normal = draws(50_000, () => random.normal());
    expect(mean(normal)).toBeCloseTo(0, 1);
    expect(deviation(normal)).toBeCloseTo(1, 2);
    expect(mean(normal.map((x) => x ** 4))).toBeCloseTo(3, 0);
  });

  test('use logarithms that are right to the last digits', () => {
    for (let i = 1; i < 1000; i++) expect(naturalLogarithm(i / 1000)).toBeCloseTo(Math.log(i / 1000), 14);
    expect(naturalLogarithm(2 ** -63)).toBeCloseTo(-63 * Math.LN2, 12);
  });

  test('refuse a seed that is not a whole number', () => {
    expect(() => new Random(-1, 'test')).toThrow('seed is -1');
    expect(() => new Random(1.5, 'test')).toThrow('seed is 1.5');
  });
});

describe('the initial weights', () => {
  const gpt: GptConfig = {
    ...{ architecture: 'gpt', vocabularySize: 60, block: 32, layers: 8, width: 64, heads: 4, dropout: 0, bias: true },
  };
  const lstm: LstmConfig = {
    ...{ architecture: 'lstm', vocabularySize: 60, block: 32, layers: 2, width: 64, embedding: 64, dropout: 0 },
  };
  const digest = (config: GptConfig | LstmConfig, seed: number) => {
    const hash = createHash('sha256');
    for (const { data } of initialWeights(config, seed).values()) hash.update(new Uint8Array(data.buffer));
    return hash.digest('hex').slice(0, 16);
  };

  test('are the same bits on every machine', () => {
    expect({ gpt: digest(gpt, 1), lstm: digest(lstm, 1) }).toEqual({
      gpt: '8144afd879662613',
      lstm: '4046b7b862708f35',
    });
    expect(digest(gpt, 2)).not.toBe(digest(gpt, 1));
  });

  test('of a GPT are normal with deviation 0.02, less for projections into the residual stream; gains are 1, biases 0', () => {
    const weights = initialWeights(gpt, 1);
    const data = (name: string) => weights.get(name)!.data;
    expect(deviation(data('transformer.wte.weight'))).toBeCloseTo(0.02, 3);
    expect(deviation(data('transformer.h.3.mlp.c_fc.weight'))).toBeCloseTo(0.02, 3);
    expect(deviation(data('transformer.h.3.mlp.c_proj.weight'))).toBeCloseTo(0.02 / 4, 3);
    expect(deviation(data('transformer.h.3.attn.c_proj.weight'))).toBeCloseTo(0.02 / 4, 3);
    expect(new Set(data('transformer.h.0.ln_1.weight'))).toEqual(new Set([1]));
    expect(new Set(data('transformer.ln_f.bias'))).toEqual(new Set([0]));
    expect(new Set(data('transformer.h.0.attn.c_attn.bias'))).toEqual(new Set([0]));
  });

  test('of a GPT with init fan-in have a deviation of 1/√inputs, 1/√C for embeddings, less for residual projections', () => {
    const narrow = { ...gpt, width: 16, init: 'fan-in' } as const;
    const measured = (name: string) => deviation(initialWeights(narrow, 1).get(`transformer.${name}.weight`)!.data);
    expect(measured('wte')).toBeCloseTo(1 / 4, 1);
    expect(measured('wpe')).toBeCloseTo(1 / 4, 1);
    expect(measured('h.3.attn.c_attn')).toBeCloseTo(1 / 4, 1);
    expect(measured('h.3.mlp.c_proj')).toBeCloseTo(1 / 8 / 4, 2);
    expect(measured('h.3.attn.c_proj')).toBeCloseTo(1 / 4 / 4, 2);
    expect(digest({ ...gpt, init: 'gpt2' }, 1)).toBe(digest(gpt, 1));
  });

  test('of an LSTM are those of torch: the embedding normal with deviation 1, the rest uniform within ±1/√H', () => {
    const weights = initialWeights({ ...lstm, embedding: 32 }, 1);
    const furthest = (name: string) => weights.get(name)!.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(deviation(weights.get('encoder.weight')!.data)).toBeCloseTo(1, 1);
    for (const name of ['rnn.weight_ih_l0', 'rnn.weight_hh_l1', 'rnn.bias_ih_l0', 'decoder.weight', 'decoder.bias']) {
      expect(furthest(name)).toBeLessThanOrEqual(1 / 8);
      expect(furthest(name)).toBeGreaterThan(0.9 / 8);
    }
  });
});
