/** Checkpoints: saving, loading, damaged files, and the safetensors format. */
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  type GptConfig,
  initialWeights,
  type LstmConfig,
  loadCheckpoint,
  type ModelConfig,
  ModelError,
  saveCheckpoint,
  type Weights,
} from '../../lib/models/index.ts';
import { readSafetensors, writeSafetensors } from '../../lib/models/safetensors.ts';

const gpt: GptConfig = {
  ...{ architecture: 'gpt', vocabularySize: 10, block: 8, layers: 1, width: 4, heads: 2, dropout: 0.1, bias: true },
};
const lstm: LstmConfig = {
  ...{ architecture: 'lstm', vocabularySize: 10, block: 8, layers: 2, width: 4, embedding: 3, dropout: 0 },
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterEach(() => rm(dir, { recursive: true }));

const resumable = (step: number): Checkpoint => ({
  config: gpt,
  weights: initialWeights(gpt, 1),
  optimizer: { step, first: initialWeights(gpt, 2), second: initialWeights(gpt, 3) },
  progress: { curve: [1.5, 0.1 + 0.2] },
});

/** Configurations of every architecture. The compiler reports an architecture that is missing. */
const configs: Record<ModelConfig['architecture'], ModelConfig[]> = {
  gpt: [
    gpt,
    { ...gpt, bias: false, init: 'fan-in' },
    { ...gpt, positions: 'rotary' },
    { ...gpt, width: 12, heads: 3, positions: 'rotary', bias: false, init: 'fan-in' },
  ],
  lstm: [lstm, { ...lstm, embedding: 4 }, { ...lstm, state: 'carried' }],
};

describe('a checkpoint', () => {
  test.each(Object.values(configs).flat())('is read as it was saved: %o', async (config) => {
    const weights = initialWeights(config, 1);
    await saveCheckpoint(dir, { config, weights });
    expect(await loadCheckpoint(dir)).toEqual({ config, weights });
    expect((await readdir(dir)).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  test('with optimizer and progress is read as it was saved, to the bit', async () => {
    await saveCheckpoint(dir, resumable(7));
    expect(await loadCheckpoint(dir)).toEqual(resumable(7));
  });

  test('has the same bytes each time it is saved', async () => {
    await saveCheckpoint(join(dir, 'a'), resumable(7));
    await saveCheckpoint(join(dir, 'b'), resumable(7));
    for (const name of await readdir(join(dir, 'a')))
      expect(await readFile(join(dir, 'a', name))).toEqual(await readFile(join(dir, 'b', name)));
  });

  test("has the keys of transformers' GPT2Config", async () => {
    await saveCheckpoint(dir, { config: gpt, weights: initialWeights(gpt, 1) });
    expect(JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'))).toMatchObject({
      ...{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], activation_function: 'gelu_new' },
      ...{ vocab_size: 10, n_positions: 8, n_embd: 4, n_layer: 1, n_head: 2, layer_norm_epsilon: 1e-5 },
      ...{ resid_pdrop: 0.1, embd_pdrop: 0.1, attn_pdrop: 0.1, tie_word_embeddings: true },
    });
  });

  test("with rotary positions has the keys, names and layouts of transformers' GPTNeoXForCausalLM", async () => {
    const config: GptConfig = { ...gpt, positions: 'rotary' };
    const [C, heads, D] = [4, 2, 2];
    const weights = initialWeights(config, 1);
    // Output j of c_attn has the bias j: queries of both heads, then keys, then values.
    weights.get('transformer.h.0.attn.c_attn.bias')!.data.set(Array.from({ length: 3 * C }, (_, j) => j));
    await saveCheckpoint(dir, { config, weights });
    expect(JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'))).toMatchObject({
      ...{ model_type: 'gpt_neox', architectures: ['GPTNeoXForCausalLM'], hidden_act: 'gelu_new' },
      ...{ vocab_size: 10, max_position_embeddings: 8, hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 2 },
      ...{ intermediate_size: 16, use_parallel_residual: false, rotary_pct: 1, rotary_emb_base: 10000 },
      ...{ attention_bias: true, tie_word_embeddings: true, layer_norm_eps: 1e-5, hidden_dropout: 0.1 },
    });
    const { tensors } = await readSafetensors(join(dir, 'model.safetensors'));
    const layer = 'gpt_neox.layers.0';
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ['gpt_neox.embed_in.weight', [10, C]],
      [`${layer}.input_layernorm.weight`, [C]],
      [`${layer}.input_layernorm.bias`, [C]],
      [`${layer}.attention.query_key_value.weight`, [3 * C, C]],
      [`${layer}.attention.query_key_value.bias`, [3 * C]],
      [`${layer}.attention.dense.weight`, [C, C]],
      [`${layer}.attention.dense.bias`, [C]],
      [`${layer}.post_attention_layernorm.weight`, [C]],
      [`${layer}.post_attention_layernorm.bias`, [C]],
      [`${layer}.mlp.dense_h_to_4h.weight`, [4 * C, C]],
      [`${layer}.mlp.dense_h_to_4h.bias`, [4 * C]],
      [`${layer}.mlp.dense_4h_to_h.weight`, [C, 4 * C]],
      [`${layer}.mlp.dense_4h_to_h.bias`, [C]],
      ['gpt_neox.final_layer_norm.weight', [C]],
      ['gpt_neox.final_layer_norm.bias', [C]],
    ]);
    // Head by head: its query, key and value.
    const order = Array.from({ length: heads }, (_, head) =>
      [0, 1, 2].flatMap((part) => Array.from({ length: D }, (_, i) => part * C + head * D + i)),
    ).flat();
    expect([...tensors.get(`${layer}.attention.query_key_value.bias`)!.data]).toEqual(order);
    const ours = weights.get('transformer.h.0.attn.c_attn.weight')!.data;
    const expected = order.flatMap((j) => Array.from({ length: C }, (_, i) => ours[i * 3 * C + j]));
    expect([...tensors.get(`${layer}.attention.query_key_value.weight`)!.data]).toEqual(expected);
  });

  test('may be a GPT-NeoX of transformers 5, but only one that is this GPT', async () => {
    const config: GptConfig = { ...gpt, positions: 'rotary' };
    const weights = initialWeights(config, 1);
    await saveCheckpoint(dir, { config, weights });
    const file = join(dir, 'config.json');
    const { rotary_pct: _, rotary_emb_base: __, ...json } = JSON.parse(await readFile(file, 'utf8'));
    const rope_parameters = { rope_type: 'default', rope_theta: 10000, partial_rotary_factor: 1 };
    await writeFile(file, JSON.stringify({ ...json, rope_parameters }));
    const { tensors } = await readSafetensors(join(dir, 'model.safetensors'));
    tensors.set('embed_out.weight', tensors.get('gpt_neox.embed_in.weight')!);
    tensors.set('gpt_neox.layers.0.attention.rotary_emb.inv_freq', { shape: [1], data: Float32Array.of(1) });
    await writeSafetensors(join(dir, 'model.safetensors'), tensors, { format: 'pt' });
    expect(await loadCheckpoint(dir)).toEqual({ config, weights });
    for (const [changed, message] of [
      [json, /rotary_pct is 0.25; only 1 is supported/],
      [{ ...json, rotary_pct: 1, use_parallel_residual: undefined }, /use_parallel_residual is true; only false/],
      [{ ...json, rotary_pct: 1, rotary_emb_base: 500 }, /rotary_emb_base is 500; only 10000/],
      [{ ...json, rope_parameters: { ...rope_parameters, rope_type: 'yarn' } }, /rope_type is "yarn"; only "default"/],
      [{ ...json, rope_parameters, intermediate_size: 8 }, /intermediate_size is 8; only 16/],
      [{ ...json, rope_parameters, intermediate_size: 16, hidden_size: undefined }, /width is missing/],
      [{ ...json, rope_parameters, num_attention_heads: 4 }, /needs heads of an even width/],
    ] as const) {
      await writeFile(file, JSON.stringify(changed));
      await expect(loadCheckpoint(dir)).rejects.toThrow(message);
    }
  });

  test('may be a published GPT-2: without the prefix, with the causal mask and the tied head among the tensors', async () => {
    const weights = initialWeights(gpt, 1);
    await saveCheckpoint(dir, { config: gpt, weights });
    const published: Weights = new Map(
      [...weights].map(([name, tensor]) => [name.replace('transformer.', ''), tensor]),
    );
    published.set('h.0.attn.bias', { shape: [1, 1, 8, 8], data: new Float32Array(64) });
    published.set('lm_head.weight', weights.get('transformer.wte.weight')!);
    await writeSafetensors(join(dir, 'model.safetensors'), published, { format: 'pt' });
    expect((await loadCheckpoint(dir)).weights).toEqual(weights);
  });

  test('stays unchanged if the next one cannot be written', async () => {
    await saveCheckpoint(dir, resumable(7));
    const broken = resumable(8);
    broken.weights.delete('transformer.ln_f.weight');
    await expect(saveCheckpoint(dir, broken)).rejects.toThrow('transformer.ln_f.weight is missing');
    expect(await loadCheckpoint(dir)).toEqual(resumable(7));
  });
});

describe('a damaged or foreign checkpoint is refused, and the error names the problem:', () => {
  const saved = () => saveCheckpoint(dir, resumable(7));
  const model = () => join(dir, 'model.safetensors');
  const refusal = async (message: RegExp) => {
    await expect(loadCheckpoint(dir)).rejects.toThrow(ModelError);
    await expect(loadCheckpoint(dir)).rejects.toThrow(message);
  };

  test('an empty folder', () => refusal(/is not a checkpoint: .*config.json is missing/));

  test('a folder without weights', async () => {
    await saved();
    await rm(model());
    await refusal(/model.safetensors is missing/);
  });

  test('weights cut short, anywhere', async () => {
    await saved();
    const { length } = await readFile(model());
    for (const size of [length - 1, length - 400, 100, 9, 8]) {
      await truncate(model(), size);
      await refusal(new RegExp(`cut short: it has ${size} of \\d+ bytes`));
    }
    await truncate(model(), 3);
    await refusal(/not a safetensors file: it has 3 bytes/);
  });

  test('a file that is not safetensors', async () => {
    await saved();
    await writeFile(model(), 'PK\u0003\u0004 this is an archive and no safetensors file at all');
    await refusal(/not a safetensors file/);
    await writeFile(model(), Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('not JSON')]));
    await refusal(/its header is not a JSON object/);
  });

  test('numbers of another type', async () => {
    await saved();
    const bytes = await readFile(model());
    await writeFile(model(), Buffer.from(bytes.toString('latin1').replace('"F32"', '"I32"'), 'latin1'));
    await refusal(/type I32; only F32/);
  });

  test('weights of another shape than the configuration', async () => {
    await saved();
    const other = { ...gpt, width: 8 };
    await writeSafetensors(model(), initialWeights(other, 1));
    await refusal(/transformer.wte.weight has the shape \[10,8\]; the configuration needs \[10,4\]/);
  });

  test('an unknown parameter', async () => {
    await saved();
    const weights = initialWeights(gpt, 1);
    await writeSafetensors(model(), weights.set('transformer.extra', { shape: [1], data: new Float32Array(1) }));
    await refusal(/transformer.extra is not a parameter/);
  });

  test('an optimizer of another step than the model', async () => {
    await saved();
    await saveCheckpoint(join(dir, 'later'), resumable(8));
    await writeFile(model(), await readFile(join(dir, 'later/model.safetensors')));
    await refusal(/mixes two checkpoints: .*step 7.*step 8/);
  });

  test('an optimizer file that is cut short, or has no step', async () => {
    await saved();
    const optimizer = join(dir, 'optimizer.safetensors');
    const { tensors, metadata } = await readSafetensors(optimizer);
    await truncate(optimizer, (await readFile(optimizer)).length - 1);
    await refusal(/optimizer.safetensors is cut short/);
    await writeSafetensors(optimizer, tensors, { step: '7', progress: '{' });
    await refusal(/optimizer.safetensors: progress is not JSON/);
    await writeSafetensors(optimizer, tensors, { step: '7' });
    await refusal(/optimizer.safetensors: progress is missing/);
    await writeSafetensors(optimizer, tensors, { ...metadata, step: 'seven' });
    await writeSafetensors(model(), initialWeights(gpt, 1), { step: 'seven' });
    await refusal(/optimizer.safetensors: step is seven; it must be the number of updates made/);
  });

  test('a configuration that is not JSON, or not of a model', async () => {
    await saved();
    const config = join(dir, 'config.json');
    const json = JSON.parse(await readFile(config, 'utf8'));
    await writeFile(config, '{');
    await refusal(/config.json is not JSON/);
    await writeFile(config, 'null');
    await refusal(/config.json is null; it must be a mapping/);
    await writeFile(config, JSON.stringify({ ...json, n_head: 3 }));
    await refusal(/config.json: heads is 3, which does not divide/);
    await writeFile(config, JSON.stringify({ ...json, model_type: 'bert' }));
    await refusal(/model_type is "bert"/);
    await writeFile(config, JSON.stringify({ ...json, activation_function: 'relu' }));
    await refusal(/activation_function is "relu"; only "gelu_new"/);
  });
});

describe('a hostile checkpoint is refused in one sentence, before memory is allocated for its values:', () => {
  const model = () => join(dir, 'model.safetensors');
  /** Writes a file of a header and `bytes` zeros, which take no space on the disk. */
  const write = async (header: string | Buffer, bytes = 0) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await writeFile(model(), Buffer.concat([length, Buffer.from(header)]));
    await truncate(model(), 8 + header.length + bytes);
  };
  const refusal = async (message: RegExp) => {
    const before = process.resourceUsage().maxRSS;
    const error = await loadCheckpoint(dir).catch((caught) => caught);
    expect(error).toBeInstanceOf(ModelError);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(600);
    expect(process.resourceUsage().maxRSS - before, 'kB more at the peak').toBeLessThan(200_000);
  };
  const entry = (shape: number[], from: number, to: number) => ({ dtype: 'F32', shape, data_offsets: [from, to] });
  beforeEach(() => saveCheckpoint(dir, { config: gpt, weights: initialWeights(gpt, 1) }));

  test('tensors that lie over each other or leave gaps, in a file that they fill', async () => {
    const n = 25_000_000;
    const all = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`t${i}`, entry([n], 0, 4 * n)]));
    await write(JSON.stringify(all), 4 * n);
    await refusal(/model.safetensors: t1 overlaps with another tensor/);
    await write(JSON.stringify({ a: entry([1], 0, 4), b: entry([1], 8, 12) }), 12);
    await refusal(/b comes after 4 bytes that belong to no tensor/);
    await write(JSON.stringify({ a: entry([1], 0, 4) }), 8);
    await refusal(/4 bytes belong to no tensor/);
  });

  test('headers of absurd sizes and structures', async () => {
    await writeFile(model(), Buffer.from('ffffffffffffff7f7b7d', 'hex'));
    await refusal(/its first 8 bytes are not the length of a header, or it has 9223372036854775807 bytes/);
    await write('['.repeat(16_000_000));
    await refusal(/its header does not map names to types, shapes and offsets/);
    await write(`{"a":[${'[],'.repeat(4_000_000)}[]]}`);
    await refusal(/its header does not map names to types, shapes and offsets/);
    await write(`{"a":${JSON.stringify(entry([1], 0, 4))},"a":${JSON.stringify(entry([1], 4, 8))}}`, 8);
    await refusal(/its header has the same key twice/);
    await write(JSON.stringify({ a: entry([...Array(1_000_000).fill(1)], 0, 4) }), 4);
    await refusal(/a has 1000000 axes; at most 8 are read/);
    await write(JSON.stringify({ a: entry([2 ** 53 - 1, 2 ** 53 - 1], 0, 4) }), 4);
    await refusal(/a has 4 bytes, but its shape/);
    await write(JSON.stringify({ __metadata__: { step: 1 } }));
    await refusal(/__metadata__ in its header is not a mapping of texts/);
    await write(`{"__proto__":${JSON.stringify(entry([1], 0, 4))}}`, 4);
    await refusal(/transformer.wte.weight is missing/);
  });

  test('tensors that the configuration does not have, however large they are', async () => {
    const n = 25_000_000;
    await write(JSON.stringify({ [`x${'y'.repeat(10_000)}`]: entry([n], 0, 4 * n) }), 4 * n);
    await refusal(/transformer.wte.weight is missing, but the configuration needs it/);
  });

  test('weights that are NaN or infinite', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const weights = initialWeights(gpt, 1);
      weights.get('transformer.ln_f.weight')!.data[1] = value;
      await writeSafetensors(model(), weights);
      await refusal(new RegExp(`transformer.ln_f.weight has the value ${value}; the weights of a model are finite`));
    }
  });

  test('configurations with absurd values', async () => {
    const file = join(dir, 'config.json');
    const json = JSON.parse(await readFile(file, 'utf8'));
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    for (const [text, message] of [
      [
        JSON.stringify({ ...json, n_layer: 4096, n_embd: 2 ** 24, n_head: 1 }),
        /has the shape \[10,4\]; the configuration/,
      ],
      [JSON.stringify({ ...json, vocab_size: 2 ** 24 }), /has the shape \[10,4\]; the configuration/],
      [JSON.stringify({ ...json, n_layer: 1e300 }), /layers is 1e\+300; it must be/],
      [JSON.stringify({ ...json, n_embd: 'x'.repeat(10_000) }), /width is "x{100}"; it must be/],
      [JSON.stringify(json).replace('"gpt2"', deep), /model_type is a list; it must be "gpt2"/],
      [JSON.stringify(json).replace('"n_layer":1', `"n_layer":${deep}`), /layers is a list; it must be/],
      [' '.repeat(2 ** 20 + 1), /has 1048577 bytes; the configuration of a model has at most/],
    ] as const) {
      await writeFile(file, text);
      await refusal(message);
    }
  });
});

describe('a safetensors file', () => {
  test('is a length, a JSON header padded to 8 bytes, and the values in order', async () => {
    const file = join(dir, 'x.safetensors');
    const tensors: Weights = new Map([
      ['a', { shape: [2, 1], data: Float32Array.of(1, 2) }],
      ['b', { shape: [], data: Float32Array.of(3) }],
    ]);
    await writeSafetensors(file, tensors, { format: 'pt' });
    const bytes = await readFile(file);
    const header = Number(bytes.readBigUInt64LE());
    expect(header % 8).toBe(0);
    expect(JSON.parse(bytes.subarray(8, 8 + header).toString())).toEqual({
      __metadata__: { format: 'pt' },
      a: { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
      b: { dtype: 'F32', shape: [], data_offsets: [8, 12] },
    });
    expect([8, 12, 16].map((at) => bytes.readFloatLE(header + at))).toEqual([1, 2, 3]);
    expect(await readSafetensors(file)).toEqual({ tensors, metadata: { format: 'pt' } });
  });
});
