/**
 * Measures how rounding to bf16 changes gradients, here and in PyTorch (autocast). Gradients in bf16 are compared with
 * gradients in fp32, from the same weights and on the same batch.
 *
 *     npx tsx bench/engine/rounding.ts --python PYTHON
 *
 * PYTHON must have torch, transformers, safetensors and numpy. Prints Markdown: the distance between the whole
 * gradients, relative to their length; the largest and the median distance of a tensor; and the tensor with the
 * largest.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEngine } from '../../lib/engine/index.ts';
import { elementCount, type ModelConfig, parameters, saveCheckpoint, type Weights } from '../../lib/models/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { chain, livelyWeights, models, python } from './peer.ts';

const SEQUENCES = 2;
const LENGTH = 128;
type Precision = 'fp32' | 'bf16';
type Gradient = Map<string, Float32Array>;

const { values } = parseOptions(import.meta.url, { options: { python: { type: 'string', default: 'python3' } } });
const folder = mkdtempSync(join(tmpdir(), 'rounding-'));
try {
  console.log(
    '| model | bf16 by | whole gradient | largest of a tensor | median of a tensor | tensor with the largest |',
  );
  console.log('| --- | --- | ---: | ---: | ---: | --- |');
  for (const [name, config] of models) {
    // A rotary GPT has other tensors in transformers, so its gradients cannot be compared tensor by tensor.
    if ('positions' in config && config.positions === 'rotary') continue;
    const weights = livelyWeights(config);
    const tokens = chain(SEQUENCES * (LENGTH + 1), 'rounding');
    const checkpoint = join(folder, name);
    await saveCheckpoint(checkpoint, { config, weights });
    const ours = {
      fp32: await native(config, weights, tokens, 'fp32'),
      bf16: await native(config, weights, tokens, 'bf16'),
    };
    const theirs = { fp32: torch(config, checkpoint, tokens, 'fp32'), bf16: torch(config, checkpoint, tokens, 'bf16') };
    for (const [engine, { fp32, bf16 }] of Object.entries({ native: ours, PyTorch: theirs })) {
      const byTensor = [...fp32].map(([tensor, exact]) => ({
        tensor,
        distance: distance([bf16.get(tensor)!], [exact]),
      }));
      byTensor.sort((a, b) => b.distance - a.distance);
      const cells = [
        distance([...bf16.values()], [...fp32.values()]),
        byTensor[0].distance,
        byTensor[byTensor.length >> 1].distance,
      ];
      console.log(`| ${name} | ${engine} | ${cells.map((x) => x.toFixed(4)).join(' | ')} | ${byTensor[0].tensor} |`);
    }
    console.log(
      `| | fp32, native against PyTorch | ${distance([...ours.fp32.values()], [...theirs.fp32.values()]).toExponential(1)} | | | |`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** The inputs (first 0) or targets (first 1) of each sequence of LENGTH + 1 tokens. */
function windows(tokens: Uint32Array, first: 0 | 1): Uint32Array {
  return Uint32Array.from({ length: SEQUENCES * LENGTH }, (_, i) => tokens[i + Math.floor(i / LENGTH) + first]);
}

async function native(
  config: ModelConfig,
  weights: Weights,
  tokens: Uint32Array,
  precision: Precision,
): Promise<Gradient> {
  const model = (await openEngine({ name: 'native', precision })).model(config, { weights });
  const batch = { inputs: windows(tokens, 0), targets: windows(tokens, 1), sequences: SEQUENCES, length: LENGTH };
  const { gradients } = await model.gradients(batch);
  model.dispose();
  return new Map([...gradients].map(([tensor, { data }]) => [tensor, data]));
}

function torch(config: ModelConfig, checkpoint: string, tokens: Uint32Array, precision: Precision): Gradient {
  const out = join(folder, 'gradients');
  const list = parameters(config);
  const names = list.map(({ name }) => name);
  python(values.python, 'gradients', {
    folder: checkpoint,
    tokens: [...tokens],
    sequences: SEQUENCES,
    out,
    names,
    precision,
  });
  const flat = new Float32Array(new Uint8Array(readFileSync(out)).buffer);
  let offset = 0;
  return new Map(list.map(({ name, shape }) => [name, flat.subarray(offset, (offset += elementCount(shape)))]));
}

/** |actual − expected| / |expected|, over all values */
function distance(actual: Float32Array[], expected: Float32Array[]): number {
  let [difference, length] = [0, 0];
  for (const [k, tensor] of expected.entries())
    for (let i = 0; i < tensor.length; i++) {
      difference += (actual[k][i] - tensor[i]) ** 2;
      length += tensor[i] ** 2;
    }
  return Math.sqrt(difference / length);
}
