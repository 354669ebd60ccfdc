/**
 * Exchanges weights with PyTorch in both directions and compares the logits, which must agree to 1e-4.
 *
 *     npx tsx bench/engine/interop.ts --python PYTHON [--only NAME]
 *
 *   out   lib/models writes a checkpoint → transformers' GPT2LMHeadModel or GPTNeoXForCausalLM, or torch.nn.LSTM, loads it
 *   in    PyTorch makes and saves weights → lib/models loads them
 *
 * PYTHON must have torch, transformers, safetensors and numpy. Prints Markdown: the largest difference of a logit for
 * every engine that is built, and the largest logit. --only takes the models whose name contains NAME. The exit code is 1 if a difference is above 1e-4.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, openEngine } from '../../lib/engine/index.ts';
import { loadCheckpoint, type ModelConfig, parameters, saveCheckpoint, type Weights } from '../../lib/models/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { chain, livelyWeights, models, python } from './peer.ts';

const TOLERANCE = 1e-4;
const SEQUENCES = 2;

const { values } = parseOptions(import.meta.url, {
  options: { python: { type: 'string', default: 'python3' }, only: { type: 'string', default: '' } },
});
const folder = mkdtempSync(join(tmpdir(), 'interop-'));
const engines = [
  await openEngine({ name: 'native' }).catch((error: Error) =>
    console.error(`the native engine is left out: ${error.message}`),
  ),
  await openEngine({ name: 'tfjs', device: 'cpu' }),
].filter((engine) => engine !== undefined);

try {
  const rows: string[] = [];
  let versions = '';
  for (const [name, config] of models.filter(([each]) => each.includes(values.only)))
    for (const way of ['out', 'in'] as const) {
      // PyTorch's GPT always has biases, so a GPT without biases is tested in one direction only.
      if (way === 'in' && config.architecture === 'gpt' && !config.bias) continue;
      const tokens = chain(SEQUENCES * config.block, 'interop');
      const checkpoint = join(folder, `${name}-${way}`);
      const theirs =
        way === 'out' ? await exportWeights(checkpoint, config, tokens) : importWeights(checkpoint, config, tokens);
      versions = theirs.versions;
      const { weights } = await loadCheckpoint(checkpoint);
      const largest = theirs.logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const differences = [];
      for (const engine of engines) differences.push(await difference(engine, config, weights, tokens, theirs.logits));
      if (differences.some((each) => !(each <= TOLERANCE))) process.exitCode = 1;
      rows.push(
        `| ${name} | ${way} | ${largest.toFixed(1)} | ${differences.map((each) => each.toExponential(1)).join(' | ')} |`,
      );
    }
  console.log(`${versions}\n`);
  console.log(`| model | weights | largest logit | ${engines.map(({ description }) => description).join(' | ')} |`);
  console.log(`| --- | --- | ---: |${engines.map(() => ' ---: |').join('')}`);
  console.log(rows.join('\n'));
} finally {
  rmSync(folder, { recursive: true });
}

/** Saves a checkpoint here, and returns the logits that PyTorch computes from it. */
async function exportWeights(checkpoint: string, config: ModelConfig, tokens: Uint32Array) {
  await saveCheckpoint(checkpoint, { config, weights: livelyWeights(config) });
  return ask('logits', checkpoint, tokens, {});
}

/** Lets PyTorch make and save a checkpoint, and returns its logits. */
function importWeights(checkpoint: string, config: ModelConfig, tokens: Uint32Array) {
  const { vocabularySize: vocab_size, block, layers, dropout } = config;
  const names = parameters(config).map(({ name }) => name);
  const shape = { vocab_size, n_positions: block, n_layer: layers };
  return ask('make', checkpoint, tokens, { config: theirs(), names });

  function theirs(): object {
    switch (config.architecture) {
      case 'gpt':
        return config.positions === 'rotary'
          ? {
              ...{ model_type: 'gpt_neox', vocab_size, max_position_embeddings: block, num_hidden_layers: layers },
              ...{ hidden_size: config.width, intermediate_size: 4 * config.width, num_attention_heads: config.heads },
              ...{ hidden_act: 'gelu_new', use_parallel_residual: false, rotary_pct: 1, tie_word_embeddings: true },
            }
          : { ...shape, model_type: 'gpt2', n_embd: config.width, n_head: config.heads };
      case 'lstm':
        return { ...shape, model_type: 'lstm', n_embd: config.embedding, hidden_size: config.width, dropout };
    }
  }
}

function ask(command: 'logits' | 'make', checkpoint: string, tokens: Uint32Array, more: object) {
  const out = join(folder, 'logits');
  const request = { folder: checkpoint, tokens: [...tokens], sequences: SEQUENCES, out, ...more };
  const { versions } = python(values.python, command, request);
  const bytes = readFileSync(out);
  return { versions, logits: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
}

async function difference(
  engine: Engine,
  config: ModelConfig,
  weights: Weights,
  tokens: Uint32Array,
  theirs: Float32Array,
): Promise<number> {
  const model = engine.model(config, { weights });
  const ours = await model.logits(tokens, SEQUENCES, config.block);
  model.dispose();
  if (ours.length !== theirs.length)
    throw new Error(`PyTorch returned ${theirs.length} logits, expected ${ours.length}`);
  return ours.reduce((most, x, i) => Math.max(most, Math.abs(x - theirs[i])), 0);
}
