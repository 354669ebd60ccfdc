/**
 * The TensorFlow.js engine: the same mathematics as the native one, written once in public ops and differentiated by the
 * library. It runs where no addon could be built, on a GPU where tfjs-node-gpu is installed, and is the oracle that the
 * native engine is tested against. On the CPU it is slow, and blocks the event loop for a microbatch at a time.
 */
import { setImmediate } from 'node:timers/promises';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import {
  checkConfig,
  initialWeights,
  type ModelConfig,
  parameters,
  reachOf,
  stateShape,
  type Weights,
} from '../../models/index.ts';
import {
  type Batch,
  checkBatch,
  checkInputs,
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
import { adamw, clipFactor, type Slot, squaredNorms } from './adamw.ts';
import {
  type Architecture,
  crossEntropy,
  type Forward,
  lookup,
  type Pass,
  type State,
  type Tokens,
} from './architecture.ts';
import { loadTensorFlow, type TensorFlow } from './backend.ts';
import { gpt } from './gpt.ts';
import { lstm } from './lstm.ts';
import { activationBytes, stateBytes } from './memory.ts';

const architectures: Record<ModelConfig['architecture'], Architecture<never>> = { gpt, lstm };

/** Microbatches are chosen so that what the backward pass needs stays below this. */
const activationBudget = 512 * 2 ** 20;

/** @throws EngineError when the device does not load, or what is asked for is not to be had here */
export async function openTfjs(options: EngineOptions = {}): Promise<Engine> {
  if (options.precision === 'bf16')
    throw new EngineError(
      'the tfjs engine computes in fp32 only; set the precision to fp32, or build the native engine',
    );
  checkThreads(options.threads ?? 1);
  const { tf, device } = await loadTensorFlow(options.device);
  return {
    name: 'tfjs',
    description: `tfjs fp32, ${device}`,
    arithmetic: { precision: 'fp32', threads: 1, kernels: device },
    model(config, start) {
      checkConfig(config);
      return new TfjsModel(tf, config, 'weights' in start ? start.weights : initialWeights(config, start.seed));
    },
    memory(config, { batch, microbatch = microbatchFor(config) }) {
      checkConfig(config);
      checkStepSize(batch, microbatch);
      return stateBytes(config) + activationBytes(config, Math.min(batch, microbatch));
    },
  };
}

class TfjsModel implements Model {
  readonly config: ModelConfig;
  private readonly tf: TensorFlow;
  /** by parameter name, in the order of `parameters(config)` */
  private readonly slots = new Map<string, Slot>();
  private readonly decays = new Map<string, boolean>();
  private step = 0;

  constructor(tf: TensorFlow, config: ModelConfig, weights: Weights) {
    this.tf = tf;
    this.config = config;
    for (const { name, shape, decay } of parameters(config)) {
      const zeros = () => tf.zeros(shape);
      this.slots.set(name, { weight: this.upload(weights, name, shape), first: zeros(), second: zeros() });
      this.decays.set(name, decay);
    }
  }

  async trainStep(batch: Batch, options: StepOptions): Promise<StepResult> {
    checkBatch(batch, this.config);
    checkStepOptions(options);
    const { tf } = this;
    const { loss, gradients, state } = await this.differentiate(batch, options);
    const norms = tf.tidy(() => squaredNorms(tf, gradients));
    const gradientNorm = Math.sqrt(((await norms.data()) as Float32Array).reduce((sum, square) => sum + square, 0));
    norms.dispose();

    this.step++;
    const factor = clipFactor(gradientNorm, options.clip);
    [...this.slots].forEach(([name, slot], i) => {
      const next = tf.tidy(() => {
        const gradient = factor === 1 ? gradients[i] : tf.mul(gradients[i], factor);
        return adamw(tf, slot, gradient, this.step, this.decays.get(name)!, options) as Slot & Record<string, Tensor>;
      });
      tf.dispose([gradients[i], slot.weight, slot.first, slot.second]);
      this.slots.set(name, next);
    });
    return { loss, gradientNorm, ...(state && { state }) };
  }

  async gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }> {
    checkBatch(batch, this.config);
    const { loss, gradients } = await this.differentiate(batch, undefined);
    const named: Weights = new Map([...this.slots.keys()].map((name, i) => [name, download(gradients[i])]));
    this.tf.dispose(gradients);
    return { loss, gradients: named };
  }

  async loss(batch: Batch): Promise<number> {
    checkBatch(batch, this.config);
    const { tf } = this;
    let sum = 0;
    for (const part of this.microbatches(batch)) {
      const loss = tf.tidy(() => crossEntropy(tf, this.forward(part, this.stateOf(batch, part)).logits, part.targets));
      sum += (await loss.data())[0] * part.sequences;
      loss.dispose();
      await setImmediate();
    }
    return sum / batch.sequences;
  }

  async logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array> {
    checkInputs(inputs, sequences, length, this.config);
    const all = new Float32Array(inputs.length * this.config.vocabularySize);
    let offset = 0;
    for (const part of this.microbatches({ inputs, targets: inputs, sequences, length })) {
      const logits = this.tf.tidy(() => this.forward(part).logits);
      all.set(await logits.data(), offset);
      offset += logits.size;
      logits.dispose();
    }
    return all;
  }

  decoder(sequences: number): Decoder {
    checkStreams(sequences);
    return new TfjsDecoder(this.tf, this.config, sequences, (...call) => this.forward(...call));
  }

  weights(): Weights {
    return this.download('weight');
  }

  optimizerState(): OptimizerState {
    return { step: this.step, first: this.download('first'), second: this.download('second') };
  }

  restoreOptimizer({ step, first, second }: OptimizerState): void {
    this.step = step;
    for (const { name, shape } of parameters(this.config)) {
      const slot = this.slots.get(name)!;
      const restored = { first: this.upload(first, name, shape), second: this.upload(second, name, shape) };
      this.tf.dispose([slot.first, slot.second]);
      this.slots.set(name, { ...slot, ...restored });
    }
  }

  dispose(): void {
    for (const { weight, first, second } of this.slots.values()) this.tf.dispose([weight, first, second]);
    this.slots.clear();
  }

  /** Mean loss and its gradients over the batch, in the order of the slots; with dropout where step options are given. */
  private async differentiate(
    batch: Batch,
    options: StepOptions | undefined,
  ): Promise<{ loss: number; gradients: Tensor[]; state: Float32Array | undefined }> {
    const { tf } = this;
    const after = batch.state && new Float32Array(batch.state.length);
    const names = [...this.slots.keys()];
    const weights = [...this.slots.values()].map((slot) => slot.weight);
    let lossSum = 0;
    let gradients: Tensor[] | undefined;
    for (const part of this.microbatches(batch, options?.microbatch)) {
      const share = part.sequences / batch.sequences;
      const seed = options && `${options.dropoutSeed ?? 0}/${this.step}/${part.first}`;
      const earlier = gradients;
      let left: State = [];
      const { value, sums } = tf.tidy(() => {
        const lossOf = (...at: Tensor[]) => {
          const named = new Map(names.map((name, i) => [name, at[i]]));
          const { logits, state } = this.forward(part, this.stateOf(batch, part), 0, named, seed);
          if (after) left = state.map((each) => tf.keep(each));
          return tf.mul(crossEntropy(tf, logits, part.targets), share);
        };
        const { value, grads } = tf.valueAndGrads(lossOf)(weights);
        return { value, sums: earlier ? grads.map((gradient, i) => tf.add(earlier[i], gradient)) : grads };
      });
      tf.dispose(earlier ?? []);
      gradients = sums;
      for (const [i, each] of left.entries())
        after!.set(each.dataSync() as Float32Array, (i * batch.sequences + part.first) * this.config.width);
      tf.dispose(left);
      lossSum += (await value.data())[0];
      value.dispose();
      await setImmediate();
    }
    return { loss: lossSum, gradients: gradients!, state: after };
  }

  /** The batch's state as the architecture takes it, of the sequences of a microbatch: each part of each layer, [sequences, H]. */
  private stateOf({ state, sequences }: Batch, part: { first: number; sequences: number }): State | undefined {
    if (!state) return undefined;
    const [layers, parts, , width] = stateShape(this.config, sequences)!;
    return Array.from({ length: layers * parts }, (_, i) => {
      const begin = (i * sequences + part.first) * width;
      return this.tf.tensor2d(state.slice(begin, begin + part.sequences * width), [part.sequences, width]);
    });
  }

  /** @param dropout what its masks are drawn from; without it nothing is dropped */
  private forward(
    tokens: Tokens,
    state?: State,
    position = 0,
    weights?: Map<string, Tensor>,
    dropout?: string,
  ): Forward {
    const { tf, config, slots } = this;
    let sites = 0;
    const optional = (name: string) => (weights ? weights.get(name) : slots.get(name)?.weight);
    const pass: Pass = {
      tf,
      optional,
      weight(name) {
        const weight = optional(name);
        if (!weight) throw new EngineError(`there is no parameter ${name}`);
        return weight;
      },
      lookup: (table, indices) => lookup(tf, table, indices),
      drop<T extends Tensor>(x: T): T {
        if (dropout === undefined || config.dropout === 0) return x;
        return tf.dropout(x, config.dropout, undefined, `${dropout}/${sites++}`) as T;
      },
    };
    return architectures[config.architecture](pass, config as never, tokens, state, position);
  }

  private *microbatches(
    { inputs, targets, sequences, length }: Batch,
    size = microbatchFor({ ...this.config, block: length }),
  ) {
    for (let first = 0; first < sequences; first += size) {
      const end = Math.min(first + size, sequences);
      const part = (tokens: Batch['inputs']) => Int32Array.from(tokens.subarray(first * length, end * length));
      yield { ids: part(inputs), targets: part(targets), sequences: end - first, length, first };
    }
  }

  /** A copy: the CPU backend computes on the very array that it is given. */
  private upload(from: Weights, name: string, shape: number[]): Tensor {
    return this.tf.tensor(numbersOf(from, { name, shape }).slice(), shape);
  }

  private download(part: keyof Slot): Weights {
    return new Map([...this.slots].map(([name, slot]) => [name, download(slot[part])]));
  }
}

/** Windows at a time where the caller does not say. */
function microbatchFor(config: ModelConfig): number {
  return Math.max(1, Math.floor(activationBudget / activationBytes(config, 1)));
}

function download(tensor: Tensor) {
  return { shape: [...tensor.shape], data: (tensor.dataSync() as Float32Array).slice() };
}

class TfjsDecoder implements Decoder {
  position = 0;
  private state: State | undefined;
  private readonly tf: TensorFlow;
  private readonly config: ModelConfig;
  private readonly sequences: number;
  private readonly forward: (tokens: Tokens, state: State | undefined, position: number) => Forward;

  constructor(tf: TensorFlow, config: ModelConfig, sequences: number, forward: TfjsDecoder['forward']) {
    this.tf = tf;
    this.config = config;
    this.sequences = sequences;
    this.forward = forward;
  }

  step(tokens: Uint16Array | Uint32Array): Float32Array {
    checkInputs(tokens, this.sequences, 1, this.config);
    if (this.position === reachOf(this.config))
      throw new EngineError(
        `the block of ${this.config.block} tokens is full; reset the decoder and feed it the end of the text`,
      );
    const before = this.state;
    const { logits, state } = this.tf.tidy(() => {
      const ids = Int32Array.from(tokens);
      const after = this.forward({ ids, sequences: this.sequences, length: 1 }, before, this.position);
      return after as Forward & Record<string, Tensor2D | State>;
    });
    this.tf.dispose(before ?? []);
    this.state = state;
    this.position++;
    const values = (logits.dataSync() as Float32Array).slice();
    logits.dispose();
    return values;
  }

  reset(): void {
    this.dispose();
    this.state = undefined;
    this.position = 0;
  }

  dispose(): void {
    this.tf.dispose(this.state ?? []);
  }
}
