/**
 * The interface that every training engine implements.
 *
 * Shapes use these letters: B sequences per batch, T tokens per sequence (T ≤ config.block), V tokens in the
 * vocabulary, L layers, H the width of an LSTM. Arrays are row-major. Losses are means over B·T tokens, in nats per
 * token.
 */
import type { ModelConfig, OptimizerState, Weights } from '../../models/index.ts';

/** AdamW's state, as checkpoints hold it. */
export type { OptimizerState };

/** The engines: C++ (native/engine), an NVIDIA GPU (native/cuda), and TensorFlow.js. */
export type EngineName = 'native' | 'gpu' | 'tfjs';

/** The engine to open, and its precision, threads and device. */
export interface EngineOptions {
  /** auto: a leased GPU, else native, else tfjs; a warning on stderr says why another was not taken. Default auto */
  name?: 'auto' | EngineName;
  /** bf16: matrix products with weights round their inputs to bf16; native and gpu. tf32: to TF32; gpu. Default fp32 */
  precision?: 'fp32' | 'tf32' | 'bf16';
  /**
   * CPU threads, at most the machine's cores. The bits of a run depend on their number. Default 1; gpu and tfjs ignore
   * it
   */
  threads?: number;
  /**
   * gpu only, in bf16: who multiplies matrices. own: kernels of native/cuda. cublas: NVIDIA's cuBLASLt, every product
   * that it can make. auto: cuBLASLt where it is found and expected to be faster. The bits of a run depend on it.
   * Default auto
   */
  products?: 'auto' | 'own' | 'cublas';
  /** tfjs only: node-gpu, node, wasm or cpu. Default: the first that loads */
  device?: string;
}

/** An open engine: it makes models and estimates their memory. */
export interface Engine {
  readonly name: EngineName;
  /** for people and logs: "native fp32, AVX-512, 2 threads" */
  readonly description: string;
  /**
   * The properties that determine the bits of a result: if all are equal, the same call gives the same bits. For tfjs,
   * `kernels` is the device; for gpu, it is the GPU, the digest of the kernels and the version of cuBLASLt, if it is
   * used. Native kernels that always give the same bits have one name.
   */
  readonly arithmetic: { precision: 'fp32' | 'tf32' | 'bf16'; threads: number; kernels: string };
  /**
   * Makes a model.
   *
   * @param start weights, which are copied, or the seed for `initialWeights(config, seed)`
   * @throws ModelError if the configuration is wrong
   * @throws EngineError if the engine does not have this architecture, or the weights do not fit the configuration
   */
  model(config: ModelConfig, start: { seed: number } | { weights: Weights }): Model;
  /**
   * Estimates the peak memory of the engine when it trains this model, before anything is allocated. It is the memory
   * of the device if there is `deviceMemory`, otherwise that of the machine.
   *
   * @param step `batch` windows of config.block tokens per step; `microbatch` as in StepOptions
   * @returns bytes
   * @throws EngineError if `batch` or `microbatch` is not a whole number of at least 1
   */
  memory(config: ModelConfig, step: { batch: number; microbatch?: number }): number;
  /** Bytes of the device's own memory that are free. Undefined for engines that use the machine's memory. */
  readonly deviceMemory?: number;
}

/** Windows of tokens, and for each token the one that follows it. */
export interface Batch {
  /** (B,T) */
  inputs: Uint16Array | Uint32Array;
  /** (B,T) */
  targets: Uint16Array | Uint32Array;
  /** B */
  sequences: number;
  /** T */
  length: number;
  /**
   * (L,2,B,H), LSTM only: the state at the start of each sequence. For each layer it holds the hidden states (torch's
   * h_n), then the cells (c_n). Gradients treat it as a constant. Default: zeros
   */
  state?: Float32Array;
}

/** Options of one step of AdamW. The caller computes the schedule, so the learning rate comes with each step. */
export interface StepOptions {
  /** learning rate of this step */
  learningRate: number;
  /** decay rates of the two moments. Default [0.9, 0.95] */
  betas?: [number, number];
  /** added to the denominator of the update. Default 1e-8 */
  epsilon?: number;
  /** for parameters whose `decay` is true. Default 0.1 */
  weightDecay?: number;
  /** global norm above which gradients are scaled down; 0: never. Default 0 */
  clip?: number;
  /** sequences computed at a time; gradients accumulate over the batch. Default: the engine's choice */
  microbatch?: number;
  /**
   * Dropout masks depend only on this seed, the step and the engine, so a resumed run draws the same masks. Default 0
   */
  dropoutSeed?: number;
}

/** The figures of one training step. */
export interface StepResult {
  /** loss of this batch before the update, in nats per token */
  loss: number;
  /** global norm of the gradient, before clipping */
  gradientNorm: number;
  /** (L,2,B,H), if the batch has a state: the state at the end of each sequence, before the update */
  state?: Float32Array;
}

/**
 * A model with its weights and optimizer state. Calls are made one after the other, in the order in which they come, so
 * a call may come before the promise of an earlier one has resolved. Every promise rejects with an EngineError if an
 * argument does not fit the model, or the model was disposed of.
 */
export interface Model {
  readonly config: ModelConfig;
  /**
   * Forward pass, backward pass, clipping and AdamW on one batch. The native engine computes on its own threads, so the
   * event loop keeps running. If the loss or the gradient norm is NaN or infinite,
   * nothing is updated. A GPU learns this late: a step that was called in the meantime still counts the failed step in
   * its dropout masks and bias corrections.
   *
   * @throws EngineError if an option is out of range
   */
  trainStep(batch: Batch, options: StepOptions): Promise<StepResult>;
  /** Mean loss without dropout, in nats per token. */
  loss(batch: Batch): Promise<number>;
  /**
   * The loss of each token without dropout, in nats.
   *
   * @returns (B,T); `loss` is their mean
   */
  tokenLosses(batch: Batch): Promise<Float32Array>;
  /** Computes the loss and its gradient for every parameter, without dropout and without an update. For tests. */
  gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }>;
  /**
   * Logits of the next token at every position, without dropout.
   *
   * @param inputs (B,T)
   * @param sequences B
   * @param length T
   * @returns (B,T,V)
   */
  logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array>;
  /**
   * Makes a decoder of independent streams. It has its own cache of keys and values, or its own LSTM state.
   *
   * @param sequences B, the number of streams
   * @throws EngineError if the number is not a whole number from 1 to 65,536, or while the model computes
   */
  decoder(sequences: number): Decoder;
  /** A copy of the weights. */
  weights(): Promise<Weights>;
  /** A copy of the optimizer's moments and step. */
  optimizerState(): Promise<OptimizerState>;
  /** Continues from an earlier optimizer state. @throws EngineError if its tensors do not fit the model */
  restoreOptimizer(state: OptimizerState): Promise<void>;
  /** Frees the memory. The model cannot be used afterwards. */
  dispose(): void;
}

/** Decodes several sequences side by side, one token at a time. */
export interface Decoder {
  /**
   * Feeds one token to each stream.
   *
   * @param tokens (B)
   * @returns (B,V), the logits of the next token
   * @throws EngineError if the block is full (GPT), or a token is outside the vocabulary
   */
  step(tokens: Uint16Array | Uint32Array): Promise<Float32Array>;
  /** number of tokens fed to each stream since the start or the last reset */
  readonly position: number;
  /** Forgets all tokens. */
  reset(): void;
  /** Frees the memory. */
  dispose(): void;
}
