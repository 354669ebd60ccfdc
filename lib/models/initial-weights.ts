/**
 * The weights that training starts from, by seed: the same bits on every machine and for every engine.
 *
 * GPT as GPT-2 and nanoGPT: matrices normal with deviation 0.02, the projections that end a residual branch scaled by
 * 1/√(2L) so that the residual stream does not grow with depth, biases 0, LayerNorm gains 1.
 * LSTM as torch initializes nn.Embedding, nn.LSTM and nn.Linear: the embedding normal with deviation 1, tied to the head or
 * not, all else uniform over ±1/√H. A smaller embedding, as is common for tied heads, learned more slowly at every width that
 * was tried (docs/engine.md has the losses).
 */
import type { ModelConfig, Weights } from './model-config.ts';
import { elementCount, parameters } from './parameters.ts';
import { Random } from './random.ts';

/** @param seed a whole number of at least 0 */
export function initialWeights(config: ModelConfig, seed: number): Weights {
  const weights: Weights = new Map();
  for (const [index, { name, shape }] of parameters(config).entries()) {
    const data = new Float32Array(elementCount(shape));
    const random = new Random(seed, 'initial weights', index);
    const start = starts[config.architecture](name, config);
    if ('value' in start) data.fill(start.value);
    else if ('deviation' in start) for (let i = 0; i < data.length; i++) data[i] = start.deviation * random.normal();
    else for (let i = 0; i < data.length; i++) data[i] = start.bound * (2 * random.uniform() - 1);
    weights.set(name, { shape: [...shape], data });
  }
  return weights;
}

/** all one value, normal with mean 0, or uniform over ±bound */
type Start = { value: number } | { deviation: number } | { bound: number };

const starts: Record<ModelConfig['architecture'], (name: string, config: ModelConfig) => Start> = {
  gpt: (name, { layers }) => gptStart(name, layers),
  lstm: (name, { width }) => lstmStart(name, width),
};

function gptStart(name: string, layers: number): Start {
  if (name.endsWith('.bias')) return { value: 0 };
  if (/\.ln_\w\.weight$/.test(name)) return { value: 1 };
  return { deviation: name.endsWith('.c_proj.weight') ? 0.02 / Math.sqrt(2 * layers) : 0.02 };
}

function lstmStart(name: string, width: number): Start {
  return name === 'encoder.weight' ? { deviation: 1 } : { bound: 1 / Math.sqrt(width) };
}
