/**
 * The initial weights of a model. A seed gives the same bits on every machine and for every engine.
 *
 * GPT: matrices are normal, biases are 0, LayerNorm gains 1. The standard deviation follows from `init`:
 *
 *   gpt2      0.02, as in GPT-2 and nanoGPT
 *   fan-in    1/√(inputs of the matrix), so that each layer keeps the variance of its input at any width (LeCun et al.
 *             1998). An embedding has 1/√C, because it is also the head, whose inputs are C numbers
 *
 * With both, the projections at the end of a residual branch are scaled by 1/√(2L), so that the residual stream does not
 * grow with depth. 0.02 is 1/√fan-in at a width of 2,500; in narrow models it is too small (docs/engine.md).
 *
 * LSTM, as in torch's nn.Embedding, nn.LSTM and nn.Linear: the embedding is normal with standard deviation 1, whether tied
 * to the head or not. Everything else is uniform over ±1/√H. A smaller standard deviation of the embedding is common for
 * tied heads, but it learned more slowly at every width that was tried (docs/engine.md has the losses).
 */
import type { GptConfig, ModelConfig, Weights } from './model-config.ts';
import { elementCount, parameters } from './parameters.ts';
import { Random } from './random.ts';

/**
 * Draws the initial weights of a model.
 *
 * @param seed a whole number of at least 0
 */
export function initialWeights(config: ModelConfig, seed: number): Weights {
  const weights: Weights = new Map();
  for (const [index, { name, shape }] of parameters(config).entries()) {
    const data = new Float32Array(elementCount(shape));
    const random = new Random(seed, 'initial weights', index);
    const initializer = INITIALIZERS[config.architecture](name, config, shape);
    if ('value' in initializer) data.fill(initializer.value);
    else if ('deviation' in initializer)
      for (let i = 0; i < data.length; i++) data[i] = initializer.deviation * random.normal();
    else for (let i = 0; i < data.length; i++) data[i] = initializer.bound * (2 * random.uniform() - 1);
    weights.set(name, { shape: [...shape], data });
  }
  return weights;
}

/** The initialization of a parameter: one value, normal with mean 0, or uniform over ±bound. */
type Initializer = { value: number } | { deviation: number } | { bound: number };

const INITIALIZERS: Record<
  ModelConfig['architecture'],
  (name: string, config: ModelConfig, shape: number[]) => Initializer
> = {
  gpt: (name, config, shape) => gptInitializer(name, config as GptConfig, shape),
  lstm: (name, { width }) => lstmInitializer(name, width),
};

function gptInitializer(name: string, { layers, width, init }: GptConfig, shape: number[]): Initializer {
  if (name.endsWith('.bias')) return { value: 0 };
  if (/\.ln_\w\.weight$/.test(name)) return { value: 1 };
  const inputs = /\.w[tp]e\.weight$/.test(name) ? width : shape[0];
  const deviation = init === 'fan-in' ? 1 / Math.sqrt(inputs) : 0.02;
  return { deviation: name.endsWith('.c_proj.weight') ? deviation / Math.sqrt(2 * layers) : deviation };
}

function lstmInitializer(name: string, width: number): Initializer {
  return name === 'encoder.weight' ? { deviation: 1 } : { bound: 1 / Math.sqrt(width) };
}
