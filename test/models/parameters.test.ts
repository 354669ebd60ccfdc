/** Parameters and operations of each architecture, and the checks of configurations and sizes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  checkConfig,
  countParameters,
  flopsPerToken,
  type GptConfig,
  type LstmConfig,
  type ModelConfig,
  ModelError,
  type ModelSize,
  modelConfig,
  parameters,
} from '../../lib/models/index.ts';

const gpt: GptConfig = {
  ...{ architecture: 'gpt', vocabularySize: 50, block: 16, layers: 1, width: 8, heads: 2, dropout: 0, bias: true },
};
const lstm: LstmConfig = {
  ...{ architecture: 'lstm', vocabularySize: 50, block: 16, layers: 2, width: 8, embedding: 8, dropout: 0 },
};
const table = (config: GptConfig | LstmConfig) => Object.fromEntries(parameters(config).map((p) => [p.name, p.shape]));

describe('the parameters of a GPT', () => {
  test("are those of transformers' GPT2LMHeadModel, in its order", () => {
    expect(parameters(gpt).map(({ name, shape }) => [name, shape])).toEqual([
      ['transformer.wte.weight', [50, 8]],
      ['transformer.wpe.weight', [16, 8]],
      ['transformer.h.0.ln_1.weight', [8]],
      ['transformer.h.0.ln_1.bias', [8]],
      ['transformer.h.0.attn.c_attn.weight', [8, 24]],
      ['transformer.h.0.attn.c_attn.bias', [24]],
      ['transformer.h.0.attn.c_proj.weight', [8, 8]],
      ['transformer.h.0.attn.c_proj.bias', [8]],
      ['transformer.h.0.ln_2.weight', [8]],
      ['transformer.h.0.ln_2.bias', [8]],
      ['transformer.h.0.mlp.c_fc.weight', [8, 32]],
      ['transformer.h.0.mlp.c_fc.bias', [32]],
      ['transformer.h.0.mlp.c_proj.weight', [32, 8]],
      ['transformer.h.0.mlp.c_proj.bias', [8]],
      ['transformer.ln_f.weight', [8]],
      ['transformer.ln_f.bias', [8]],
    ]);
  });

  test('have no biases if bias is false', () => {
    expect(Object.keys(table({ ...gpt, bias: false })).filter((name) => name.endsWith('.bias'))).toEqual([]);
  });

  test('have no position embedding if positions are rotary, which changes neither nonEmbedding nor the operations', () => {
    const rotary = { ...gpt, positions: 'rotary' } as const;
    expect(parameters(rotary)).toEqual(parameters(gpt).filter(({ name }) => name !== 'transformer.wpe.weight'));
    const { total, nonEmbedding } = countParameters(gpt);
    expect(countParameters(rotary)).toEqual({ total: total - 16 * 8, nonEmbedding });
    expect(flopsPerToken(rotary, 16)).toBe(flopsPerToken(gpt, 16));
  });

  test('have the published number for GPT-2: 124,439,808, and 85,056,000 without embeddings', () => {
    const small = { ...gpt, vocabularySize: 50257, block: 1024, layers: 12, width: 768, heads: 12 };
    expect(countParameters(small)).toEqual({ total: 124_439_808, nonEmbedding: 85_056_000 });
  });
});

describe('the parameters of an LSTM', () => {
  test("are those of torch.nn.LSTM, between an encoder and a decoder that shares the encoder's matrix", () => {
    expect(table(lstm)).toEqual({
      'encoder.weight': [50, 8],
      'rnn.weight_ih_l0': [32, 8],
      'rnn.weight_hh_l0': [32, 8],
      'rnn.bias_ih_l0': [32],
      'rnn.bias_hh_l0': [32],
      'rnn.weight_ih_l1': [32, 8],
      'rnn.weight_hh_l1': [32, 8],
      'rnn.bias_ih_l1': [32],
      'rnn.bias_hh_l1': [32],
      'decoder.bias': [50],
    });
  });

  test('have a separate decoder matrix if the embedding has another width', () => {
    const untied = table({ ...lstm, embedding: 4 });
    expect(untied['rnn.weight_ih_l0']).toEqual([32, 4]);
    expect(untied['rnn.weight_ih_l1']).toEqual([32, 8]);
    expect(untied['decoder.weight']).toEqual([50, 8]);
  });

  test('are counted without encoder and decoder in nonEmbedding', () => {
    const perLayer = 4 * 8 * (8 + 8) + 2 * 4 * 8;
    expect(countParameters(lstm)).toEqual({ total: 2 * perLayer + 50 * 8 + 50, nonEmbedding: 2 * perLayer });
  });
});

test('weight decay applies to matrices only', () => {
  for (const config of [gpt, lstm])
    for (const { name, shape, decay } of parameters(config)) expect(decay, name).toBe(shape.length === 2);
});

describe('floating-point operations per token', () => {
  test('of a GPT are 6 for each number of its matrices and head, and 12·layers·width·length for attention', () => {
    const matrices = 8 * 24 + 8 * 8 + 2 * 8 * 32;
    expect(flopsPerToken(gpt, 16)).toBe(6 * (matrices + 50 * 8) + 12 * 1 * 8 * 16);
    expect(flopsPerToken(gpt, 4)).toBe(6 * (matrices + 50 * 8) + 12 * 1 * 8 * 4);
  });

  test('of an LSTM are 6 for each number of its matrices and head, tied or not, at any length', () => {
    expect(flopsPerToken(lstm, 16)).toBe(6 * (4 * 32 * 8 + 50 * 8));
    expect(flopsPerToken({ ...lstm, embedding: 4 }, 99)).toBe(6 * (32 * 4 + 3 * 32 * 8 + 50 * 8));
  });
});

describe('a wrong configuration', () => {
  const refusals: [what: string, config: object, key: string, message: RegExp][] = [
    ['heads that do not divide', { ...gpt, width: 1024, heads: 12 }, 'heads', /12.*1024.*nearest.* 8 and 16/],
    ['more heads than width', { ...gpt, heads: 9 }, 'heads', /nearest that do are 8$/],
    ['no layers', { ...gpt, layers: 0 }, 'layers', /layers is 0; .*at least 1/],
    ['more layers than there is a model of', { ...gpt, layers: 1e6 }, 'layers', /layers is 1000000; .*at most 4096/],
    [
      'a vocabulary of one',
      { ...lstm, vocabularySize: 1 },
      'vocabularySize',
      /at least 2, or there is nothing to predict/,
    ],
    ['a broken width', { ...lstm, width: 2.5 }, 'width', /width is 2.5; .*whole number/],
    ['a missing embedding', { ...lstm, embedding: undefined }, 'embedding', /embedding is missing/],
    ['a certain dropout', { ...gpt, dropout: 1 }, 'dropout', /below 1/],
    ['a bias that is not true or false', { ...gpt, bias: 'no' }, 'bias', /"no".*true or false/],
    [
      'rotary positions of heads of an odd width',
      { ...gpt, width: 12, heads: 4, positions: 'rotary' },
      'positions',
      /even width; 4 heads of a width of 12 are 3 wide each; .*heads may be 3 and 6$/,
    ],
    [
      'rotary positions of an odd width',
      { ...gpt, width: 9, heads: 3, positions: 'rotary' },
      'positions',
      /choose an even width$/,
    ],
    ['unknown positions', { ...gpt, positions: 'alibi' }, 'positions', /"alibi"; it must be "learned" or "rotary"/],
    ['an unknown init', { ...gpt, init: 'xavier' }, 'init', /"xavier"; it must be "gpt2" or "fan-in"/],
    ['another architecture', { ...gpt, architecture: 'rwkv' }, 'architecture', /"rwkv"; it must be "gpt"/],
  ];
  test.each(refusals)('is refused with the name of its key: %s', (_, config, key, message) => {
    const check = () => checkConfig(config as GptConfig);
    expect(check).toThrow(ModelError);
    expect(check).toThrow(message);
    expect(check).toThrow(expect.objectContaining({ key }));
  });
});

describe('a size', () => {
  const setting = { vocabularySize: 96, block: 256, dropout: 0.1 };

  test('becomes a configuration with the vocabulary, block and dropout of the study', () => {
    expect(modelConfig({ architecture: 'gpt', layers: 4, width: 128, heads: 4 }, setting)).toEqual({
      ...{
        architecture: 'gpt',
        vocabularySize: 96,
        block: 256,
        layers: 4,
        width: 128,
        heads: 4,
        dropout: 0.1,
        bias: true,
      },
    });
    expect(modelConfig({ architecture: 'lstm', layers: 2, width: 64 }, setting)).toEqual({
      ...{ architecture: 'lstm', vocabularySize: 96, block: 256, layers: 2, width: 64, embedding: 64, dropout: 0.1 },
    });
  });

  test('with an unknown key is refused', () => {
    const size = { architecture: 'lstm', layers: 2, width: 64, heads: 4 } as ModelSize;
    expect(() => modelConfig(size, setting)).toThrow('heads is not a setting of a lstm size');
  });

  test('is valid for every entry of params.yaml', () => {
    const { sizes } = parse(readFileSync(new URL('../../params.yaml', import.meta.url), 'utf8'));
    for (const [name, size] of Object.entries(sizes))
      expect(() => modelConfig(size as ModelSize, setting), name).not.toThrow();
  });

  test('has the same keys in params.schema.json', () => {
    const schema = JSON.parse(readFileSync(new URL('../../stages/params.schema.json', import.meta.url), 'utf8'));
    const { properties, allOf } = schema.properties.sizes.additionalProperties;
    // If a key is missing here, this does not compile.
    const architectures: Record<ModelConfig['architecture'], true> = { gpt: true, lstm: true };
    expect(properties.architecture.enum).toEqual(Object.keys(architectures));
    for (const [i, { then }] of allOf.entries()) {
      const architecture = properties.architecture.enum[i];
      const size = { architecture, 'no setting': 1 } as unknown as ModelSize;
      expect(then.properties.architecture).toEqual({ const: architecture });
      expect(() => modelConfig(size, setting)).toThrow(`there are ${Object.keys(then.properties).join(', ')}`);
    }
  });
});
