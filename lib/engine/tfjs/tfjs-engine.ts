/**
 * The TensorFlow.js engine. It computes the same mathematics as the native engine, in public TensorFlow.js operations
 * with automatic differentiation.
 *
 * It is used if the addon could not be built. It computes on a GPU if tfjs-node-gpu is installed. The tests compare the
 * native engine with it. On the CPU it is slow, and it blocks the event loop during each microbatch.
 */
import { setImmediate } from 'node:timers/promises';
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  checkConfig,
  initialWeights,
  type ModelConfig,
  parameters,
  stateShape,
  type Weights,
} from '../../models/index.ts';
import {
  type Batch,
  CallQueue,
  checkBatch,
  checkInputs,
  checkOptimizerStep,
  checkStepOptions,
  checkStepSize,
  checkStreams,
  checkThreads,
  type Decoder,
  type Engine,
  EngineError,
  type EngineOptions,
  type Model,
  numbersOf,
  type OptimizerState,
  type StepOptions,
  type StepResult,
} from '../interface/index.ts';
import { adamw, clipFactor, squaredNorms, type TrainedParameter } from './adamw.ts';
import {
  type Architecture,
  crossEntropy,
  type Forward,
  lookup,
  type Pass,
  type State,
  type Tokens,
  tokenLosses,
} from './architecture.ts';
import { loadTensorFlow, type TensorFlow } from './backend.ts';
import { gpt } from './gpt.ts';
import { lstm } from './lstm.ts';
import { activationBytes, parameterBytes } from './memory-estimate.ts';
import { TfjsDecoder } from './tfjs-decoder.ts';

const ARCHITECTURES: Record<ModelConfig['architecture'], Architecture<never>> = { gpt, lstm };

/**
 * The default microbatch is the largest whose activations take less memory than this: a number of bytes, or a share of
 * the memory of a GPU. The share is of all its memory and not of what is free, so that a run repeats its bits.
 */
const ACTIVATION_BYTES = 512 * 2 ** 20;
const ACTIVATION_SHARE = 0.4;

/**
 * Opens the TensorFlow.js engine.
 *
 * @throws EngineError if the device does not load, precision is bf16, or `threads` is out of range
 */
export async function openTfjs(options: EngineOptions = {}): Promise<Engine> {
  if (options.precision === 'bf16')
    throw new EngineError(
      'the tfjs engine computes in fp32 only; set the precision to fp32, or build the native engine',
    );
  checkThreads(options.threads ?? 1);
  const { tf, device, gpuMemory } = await loadTensorFlow(options.device);
  const budget = gpuMemory ? ACTIVATION_SHARE * gpuMemory.total : ACTIVATION_BYTES;
  return {
    name: 'tfjs',
    description: `tfjs fp32, ${device}`,
    arithmetic: { precision: 'fp32', threads: 1, kernels: device },
    model(config, start) {
      checkConfig(config);
      const weights = 'weights' in start ? start.weights : initialWeights(config, start.seed);
      return new TfjsModel(tf, config, weights, budget);
    },
    memory(config, { batch, microbatch = defaultMicrobatch(config, budget) }) {
      checkConfig(config);
      checkStepSize(batch, microbatch);
      return parameterBytes(config) + activationBytes(config, Math.min(batch, microbatch));
    },
    // Before any model was made: TensorFlow keeps what it has taken.
    ...(gpuMemory && { deviceMemory: gpuMemory.free }),
  };
}

class TfjsModel implements Model {
  readonly config: ModelConfig;
  readonly #tf: TensorFlow;
  /** by name, in the order of `parameters(config)` */
  readonly #parameters = new Map<string, TrainedParameter>();
  readonly #decays = new Map<string, boolean>();
  /** number of AdamW updates made */
  #step = 0;
  readonly #calls = new CallQueue();
  /** bytes of activations that a microbatch may take */
  readonly #budget: number;

  constructor(tf: TensorFlow, config: ModelConfig, weights: Weights, budget: number) {
    this.#budget = budget;
    this.#tf = tf;
    this.config = config;
    for (const { name, shape, decay } of parameters(config)) {
      const zeros = () => tf.zeros(shape);
      this.#parameters.set(name, { weight: this.#upload(weights, name, shape), first: zeros(), second: zeros() });
      this.#decays.set(name, decay);
    }
  }

  trainStep(batch: Batch, options: StepOptions): Promise<StepResult> {
    return this.#calls.run(() => this.#trainStep(batch, options));
  }

  gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }> {
    return this.#calls.run(() => this.#gradients(batch));
  }

  loss(batch: Batch): Promise<number> {
    return this.#calls.run(() => this.#loss(batch));
  }

  tokenLosses(batch: Batch): Promise<Float32Array> {
    return this.#calls.run(() => this.#tokenLosses(batch));
  }

  logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array> {
    return this.#calls.run(() => this.#logits(inputs, sequences, length));
  }

  decoder(sequences: number): Decoder {
    this.#calls.checkIdle('make a decoder');
    checkStreams(sequences);
    return new TfjsDecoder(this.#tf, this.config, sequences, this.#calls, (...call) => this.#forward(...call));
  }

  weights(): Promise<Weights> {
    return this.#calls.run(() => this.#download('weight'));
  }

  optimizerState(): Promise<OptimizerState> {
    return this.#calls.run(async () => {
      const [first, second] = [await this.#download('first'), await this.#download('second')];
      return { step: this.#step, first, second };
    });
  }

  restoreOptimizer({ step, first, second }: OptimizerState): Promise<void> {
    return this.#calls.runNow(() => {
      checkOptimizerStep(step);
      for (const { name, shape } of parameters(this.config)) {
        const parameter = this.#parameters.get(name)!;
        const restored = { first: this.#upload(first, name, shape), second: this.#upload(second, name, shape) };
        this.#tf.dispose([parameter.first, parameter.second]);
        this.#parameters.set(name, { ...parameter, ...restored });
      }
      this.#step = step;
    });
  }

  dispose(): void {
    this.#calls.close(() => {
      for (const { weight, first, second } of this.#parameters.values()) this.#tf.dispose([weight, first, second]);
      this.#parameters.clear();
    });
  }

  async #trainStep(batch: Batch, options: StepOptions): Promise<StepResult> {
    checkBatch(batch, this.config);
    checkStepOptions(options);
    const tf = this.#tf;
    const { loss, gradients, state } = await this.#differentiate(batch, options);
    const norms = tf.tidy(() => squaredNorms(tf, gradients));
    const gradientNorm = Math.sqrt(((await norms.data()) as Float32Array).reduce((sum, square) => sum + square, 0));
    norms.dispose();
    const result = { loss, gradientNorm, ...(state && { state }) };
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      tf.dispose(gradients);
      return result;
    }
    this.#step++;
    const factor = clipFactor(gradientNorm, options.clip);
    [...this.#parameters].forEach(([name, parameter], i) => {
      const next = tf.tidy(() => {
        const gradient = factor === 1 ? gradients[i] : tf.mul(gradients[i], factor);
        return adamw(tf, parameter, gradient, this.#step, this.#decays.get(name)!, options) as TrainedParameter &
          Record<string, Tensor>;
      });
      tf.dispose([gradients[i], parameter.weight, parameter.first, parameter.second]);
      this.#parameters.set(name, next);
    });
    return result;
  }

  async #gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }> {
    checkBatch(batch, this.config);
    const { loss, gradients } = await this.#differentiate(batch, undefined);
    const named: Weights = new Map();
    for (const [i, name] of [...this.#parameters.keys()].entries()) named.set(name, await download(gradients[i]));
    this.#tf.dispose(gradients);
    return { loss, gradients: named };
  }

  async #loss(batch: Batch): Promise<number> {
    checkBatch(batch, this.config);
    const tf = this.#tf;
    let sum = 0;
    for (const part of this.#microbatches(batch)) {
      const loss = tf.tidy(() =>
        crossEntropy(tf, this.#forward(part, this.#stateTensors(batch, part)).logits, part.targets),
      );
      sum += (await loss.data())[0] * part.sequences;
      loss.dispose();
      await setImmediate();
    }
    return sum / batch.sequences;
  }

  async #tokenLosses(batch: Batch): Promise<Float32Array> {
    checkBatch(batch, this.config);
    const tf = this.#tf;
    const all = new Float32Array(batch.inputs.length);
    for (const part of this.#microbatches(batch)) {
      const losses = tf.tidy(() =>
        tokenLosses(tf, this.#forward(part, this.#stateTensors(batch, part)).logits, part.targets),
      );
      all.set((await losses.data()) as Float32Array, part.first * batch.length);
      losses.dispose();
      await setImmediate();
    }
    return all;
  }

  async #logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array> {
    checkInputs(inputs, sequences, length, this.config);
    const all = new Float32Array(inputs.length * this.config.vocabularySize);
    let offset = 0;
    for (const part of this.#microbatches({ inputs, targets: inputs, sequences, length })) {
      const logits = this.#tf.tidy(() => this.#forward(part).logits);
      all.set(await logits.data(), offset);
      offset += logits.size;
      logits.dispose();
    }
    return all;
  }

  /**
   * Mean loss over the batch and its gradients, in the order of the parameters.
   *
   * @param options of a training step; without them there is no dropout
   * @returns `state` (L,2,B,H) after the last token, if the batch has a state
   */
  async #differentiate(
    batch: Batch,
    options: StepOptions | undefined,
  ): Promise<{ loss: number; gradients: Tensor[]; state: Float32Array | undefined }> {
    const tf = this.#tf;
    const after = batch.state && new Float32Array(batch.state.length);
    const names = [...this.#parameters.keys()];
    const weights = [...this.#parameters.values()].map(({ weight }) => weight);
    let lossSum = 0;
    let gradients: Tensor[] | undefined;
    for (const part of this.#microbatches(batch, options?.microbatch)) {
      const share = part.sequences / batch.sequences;
      const seed = options && `${options.dropoutSeed ?? 0}/${this.#step}/${part.first}`;
      const earlier = gradients;
      let finalState: State = [];
      const { value, sums } = tf.tidy(() => {
        const lossOf = (...values: Tensor[]) => {
          const named = new Map(names.map((name, i) => [name, values[i]]));
          const { logits, state } = this.#forward(part, this.#stateTensors(batch, part), 0, named, seed);
          if (after) finalState = state.map((each) => tf.keep(each));
          return tf.mul(crossEntropy(tf, logits, part.targets), share);
        };
        const { value, grads } = tf.valueAndGrads(lossOf)(weights);
        return { value, sums: earlier ? grads.map((gradient, i) => tf.add(earlier[i], gradient)) : grads };
      });
      tf.dispose(earlier ?? []);
      gradients = sums;
      for (const [i, each] of finalState.entries())
        after!.set((await each.data()) as Float32Array, (i * batch.sequences + part.first) * this.config.width);
      tf.dispose(finalState);
      lossSum += (await value.data())[0];
      value.dispose();
      await setImmediate();
    }
    return { loss: lossSum, gradients: gradients!, state: after };
  }

  /** The batch's state (L,2,B,H) for the sequences of one microbatch, as 2·L tensors (sequences,H). */
  #stateTensors({ state, sequences }: Batch, part: { first: number; sequences: number }): State | undefined {
    if (!state) return undefined;
    const [layers, parts, , width] = stateShape(this.config, sequences)!;
    return Array.from({ length: layers * parts }, (_, i) => {
      const begin = (i * sequences + part.first) * width;
      return this.#tf.tensor2d(state.slice(begin, begin + part.sequences * width), [part.sequences, width]);
    });
  }

  /**
   * Tokens (B,T) to logits (B·T,V).
   *
   * @param position number of tokens before these
   * @param weights replace the model's own weights
   * @param dropout text from which the seeds of the dropout masks are made; without it there is no dropout
   */
  #forward(tokens: Tokens, state?: State, position = 0, weights?: Map<string, Tensor>, dropout?: string): Forward {
    const tf = this.#tf;
    const { config } = this;
    const parameters = this.#parameters;
    /** dropout calls in this pass; each has its own mask */
    let dropouts = 0;
    const optional = (name: string) => (weights ? weights.get(name) : parameters.get(name)?.weight);
    const pass: Pass = {
      tf,
      optional,
      weight(name) {
        const weight = optional(name);
        if (!weight) throw new EngineError(`the model does not have a parameter ${name}`);
        return weight;
      },
      lookup: (table, indices) => lookup(tf, table, indices),
      drop<T extends Tensor>(x: T): T {
        if (dropout === undefined || config.dropout === 0) return x;
        return tf.dropout(x, config.dropout, undefined, `${dropout}/${dropouts++}`) as T;
      },
    };
    return ARCHITECTURES[config.architecture](pass, config as never, tokens, state, position);
  }

  /** Splits the batch into microbatches of at most `size` sequences; `first` is the index of the first of them. */
  *#microbatches(
    { inputs, targets, sequences, length }: Batch,
    size = defaultMicrobatch({ ...this.config, block: length }, this.#budget),
  ) {
    for (let first = 0; first < sequences; first += size) {
      const end = Math.min(first + size, sequences);
      const part = (tokens: Batch['inputs']) => Int32Array.from(tokens.subarray(first * length, end * length));
      yield { ids: part(inputs), targets: part(targets), sequences: end - first, length, first };
    }
  }

  /** Makes a tensor from a copy of the values, because the CPU backend does not copy the array. */
  #upload(from: Weights, name: string, shape: number[]): Tensor {
    return this.#tf.tensor(numbersOf(from, { name, shape }).slice(), shape);
  }

  async #download(part: keyof TrainedParameter): Promise<Weights> {
    const weights: Weights = new Map();
    for (const [name, parameter] of this.#parameters) weights.set(name, await download(parameter[part]));
    return weights;
  }
}

/** The default microbatch, in windows. */
function defaultMicrobatch(config: ModelConfig, budget: number): number {
  return Math.max(1, Math.floor(budget / activationBytes(config, 1)));
}

async function download(tensor: Tensor) {
  return { shape: [...tensor.shape], data: ((await tensor.data()) as Float32Array).slice() };
}
