/**
 * The native engine. One call into the C++ addon of native/engine computes a whole training step on the addon's own
 * threads, while the event loop keeps running. native/README.md describes the addon.
 *
 * All arguments are checked here, because the addon does not check them. Calls on one model are queued. Those that the
 * addon answers without its threads (weights, a decoder's step) are made at once if no other call is under way.
 */
import {
  checkConfig,
  decoderCapacity,
  elementCount,
  initialWeights,
  type ModelConfig,
  parameters,
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
import {
  type Addon,
  addonParameters,
  BUFFERS,
  type DecoderHandle,
  loadAddon,
  type ModelHandle,
  WORK,
} from './native-addon.ts';

/**
 * Opens the native engine.
 *
 * With precision bf16, matrix products with weights round their inputs to bf16 and accumulate in fp32. Weights, moments
 * and everything else stay in fp32.
 *
 * The environment variable ENGINE_ISA selects kernels by name: generic, avx2, avx512, avx512bf16 or amx. Without it,
 * the engine uses the best kernels that the CPU can run.
 *
 * @throws EngineError if the addon is not built, the CPU lacks the kernels, or `threads` is out of range
 * @throws StaleAddonError if the addon was built from other sources
 */
export function openNative(options: EngineOptions = {}): Engine {
  const { precision = 'fp32', threads = 1 } = options;
  checkThreads(threads);
  const addon = loadAddon();
  const kernels = process.env.ENGINE_ISA ?? '';
  const kernelsName = addon.kernelsName(kernels, precision);
  if (kernelsName === undefined)
    throw new EngineError(
      `ENGINE_ISA is ${kernels}; it must be one of generic, avx2, avx512, avx512bf16 and amx that this CPU supports. Unset it to use the fastest`,
    );
  const check = (config: ModelConfig) => {
    checkConfig(config);
    const architectures = addon.architectures();
    if (!architectures.includes(config.architecture))
      throw new EngineError(
        `the native engine has no ${config.architecture}, only ${architectures.join(', ')}; train it with the engine tfjs`,
      );
  };
  return {
    name: 'native',
    description: `native ${precision}, ${kernelsName}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    arithmetic: { precision, threads, kernels: bitsOf(kernelsName) },
    model(config, start) {
      check(config);
      const handle = addon.create(config, addonParameters(parameters(config)), threads, kernels, precision);
      const weights = 'weights' in start ? start.weights : initialWeights(config, start.seed);
      return new NativeModel(addon, handle, config, weights);
    },
    memory(config, { batch, microbatch }) {
      check(config);
      checkStepSize(batch, microbatch);
      const list = addonParameters(parameters(config));
      return addon.memory(config, list, threads, batch, microbatch ?? 0, kernels, precision);
    },
  };
}

/** Names the kernels by their bits: those for AVX2 and AVX-512 give the same ones, so a run may change between such CPUs. */
function bitsOf(kernelsName: string): string {
  return ['AVX2', 'AVX-512'].includes(kernelsName) ? 'AVX2 or AVX-512' : kernelsName;
}

class NativeModel implements Model {
  readonly config: ModelConfig;
  readonly #addon: Addon;
  readonly #handle: ModelHandle;
  readonly #calls = new CallQueue();

  constructor(addon: Addon, handle: ModelHandle, config: ModelConfig, weights: Weights) {
    this.#addon = addon;
    this.#handle = handle;
    this.config = config;
    addon.write(handle, BUFFERS.weights, this.#flatten(weights));
  }

  trainStep(batch: Batch, options: StepOptions): Promise<StepResult> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      checkStepOptions(options);
      const step = {
        learningRate: options.learningRate,
        beta1: options.betas?.[0] ?? 0.9,
        beta2: options.betas?.[1] ?? 0.95,
        epsilon: options.epsilon ?? 1e-8,
        weightDecay: options.weightDecay ?? 0.1,
        clip: options.clip ?? 0,
        microbatch: options.microbatch ?? 0,
        dropoutSeed: (options.dropoutSeed ?? 0) >>> 0,
      };
      if (!batch.state) return this.#run(WORK.train, batch, step);
      const after = new Float32Array(batch.state.length);
      return { ...(await this.#run(WORK.train, batch, step, after)), state: after };
    });
  }

  loss(batch: Batch): Promise<number> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      return (await this.#run(WORK.loss, batch)).loss;
    });
  }

  tokenLosses(batch: Batch): Promise<Float32Array> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      const losses = new Float32Array(batch.inputs.length);
      await this.#run(WORK.tokenLosses, batch, undefined, losses);
      return losses;
    });
  }

  gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      const flat = this.#newFlat();
      const { loss } = await this.#run(WORK.gradients, batch, undefined, flat);
      return { loss, gradients: this.#byName(flat) };
    });
  }

  logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array> {
    return this.#calls.run(async () => {
      checkInputs(inputs, sequences, length, this.config);
      const logits = new Float32Array(inputs.length * this.config.vocabularySize);
      await this.#run(WORK.logits, { inputs, sequences, length }, undefined, logits);
      return logits;
    });
  }

  decoder(sequences: number): Decoder {
    this.#calls.checkIdle('make a decoder');
    checkStreams(sequences);
    return new NativeDecoder(
      this.#addon,
      this.#addon.decoder(this.#handle, sequences),
      this.config,
      sequences,
      this.#calls,
    );
  }

  weights(): Promise<Weights> {
    return this.#calls.runNow(() => this.#read(BUFFERS.weights));
  }

  optimizerState(): Promise<OptimizerState> {
    return this.#calls.runNow(() => {
      const [first, second] = [this.#read(BUFFERS.first), this.#read(BUFFERS.second)];
      return { step: this.#addon.step(this.#handle), first, second };
    });
  }

  restoreOptimizer({ step, first, second }: OptimizerState): Promise<void> {
    return this.#calls.runNow(() => {
      checkOptimizerStep(step);
      const [flatFirst, flatSecond] = [this.#flatten(first), this.#flatten(second)];
      this.#addon.write(this.#handle, BUFFERS.first, flatFirst);
      this.#addon.write(this.#handle, BUFFERS.second, flatSecond);
      this.#addon.setStep(this.#handle, step);
    });
  }

  dispose(): void {
    this.#calls.close(() => this.#addon.dispose(this.#handle));
  }

  /** Calls the addon; `out` receives gradients, logits, losses or the state after the step. */
  #run(
    work: number,
    { inputs, targets, sequences, length, state }: Omit<Batch, 'targets'> & Partial<Batch>,
    options?: Parameters<Addon['run']>[6],
    out?: Float32Array,
  ) {
    const tokens = (from: Batch['inputs']) => (from instanceof Uint32Array ? from : Uint32Array.from(from));
    return this.#addon.run(
      this.#handle,
      work,
      tokens(inputs),
      targets && tokens(targets),
      sequences,
      length,
      options,
      out,
      state,
    );
  }

  #read(buffer: number): Weights {
    const flat = this.#newFlat();
    this.#addon.read(this.#handle, buffer, flat);
    return this.#byName(flat);
  }

  /** All parameters, one after the other. @throws EngineError if they do not fit the model */
  #flatten(values: Weights): Float32Array {
    const flat = this.#newFlat();
    let offset = 0;
    for (const parameter of parameters(this.config)) {
      flat.set(numbersOf(values, parameter), offset);
      offset += elementCount(parameter.shape);
    }
    return flat;
  }

  /** An array for all parameters, one after the other. */
  #newFlat(): Float32Array {
    return new Float32Array(parameters(this.config).reduce((sum, { shape }) => sum + elementCount(shape), 0));
  }

  /** The parameters by name, as views into `flat`. */
  #byName(flat: Float32Array): Weights {
    let offset = 0;
    return new Map(
      parameters(this.config).map(({ name, shape }) => {
        const data = flat.subarray(offset, (offset += elementCount(shape)));
        return [name, { shape: [...shape], data }];
      }),
    );
  }
}

class NativeDecoder implements Decoder {
  position = 0;
  readonly #addon: Addon;
  readonly #handle: DecoderHandle;
  readonly #config: ModelConfig;
  readonly #sequences: number;
  /** the queue of the decoder's model */
  readonly #calls: CallQueue;

  constructor(addon: Addon, handle: DecoderHandle, config: ModelConfig, sequences: number, calls: CallQueue) {
    this.#addon = addon;
    this.#handle = handle;
    this.#config = config;
    this.#sequences = sequences;
    this.#calls = calls;
  }

  step(tokens: Uint16Array | Uint32Array): Promise<Float32Array> {
    return this.#calls.runNow(() => this.#step(tokens));
  }

  #step(tokens: Uint16Array | Uint32Array): Float32Array {
    checkInputs(tokens, this.#sequences, 1, this.#config);
    if (this.position === decoderCapacity(this.#config))
      throw new EngineError(
        `the block of ${this.#config.block} tokens is full; reset the decoder and feed it the end of the text`,
      );
    const logits = new Float32Array(this.#sequences * this.#config.vocabularySize);
    this.#addon.decoderStep(this.#handle, Uint32Array.from(tokens), logits);
    this.position++;
    return logits;
  }

  reset(): void {
    this.#addon.decoderReset(this.#handle);
    this.position = 0;
  }

  dispose(): void {
    this.#addon.decoderDispose(this.#handle);
  }
}
