/**
 * The one interface that every training engine has; what it computes is stated here, how is each engine's own.
 *
 * B sequences a batch, T tokens a sequence (T ≤ config.block), V the vocabulary. Losses are means over B·T tokens, in nats.
 */
import type { ModelConfig, OptimizerState, Weights } from '../../models/index.ts';

export type { OptimizerState };

export type EngineName = 'native' | 'tfjs';

export interface EngineOptions {
  /** auto: native, or tfjs where the addon is not built (said once, on stderr) */
  name?: 'auto' | EngineName;
  precision?: 'fp32' | 'bf16';
  /** CPU threads, at most the machine's cores; part of what makes a run repeatable bit for bit. Default 1. tfjs has its own */
  threads?: number;
  /** tfjs only: node-gpu, node, wasm or cpu; default the first that loads */
  device?: string;
}

export interface Engine {
  readonly name: EngineName;
  /** for people and logs: "native fp32, AVX-512, 2 threads" */
  readonly description: string;
  /** What its bits depend on: with all of it equal, the same call gives the same bits. `kernels` is the backend for tfjs. */
  readonly arithmetic: { precision: 'fp32' | 'bf16'; threads: number; kernels: string };
  /** A model with these weights (copied), or with `initialWeights(config, seed)`. */
  model(config: ModelConfig, start: { seed: number } | { weights: Weights }): Model;
  /**
   * Peak bytes that the engine takes to train this model on batches of `batch` windows as long as its block: known before any is
   * taken. `microbatch` as in StepOptions: without it, what the engine's own choice takes.
   */
  memory(config: ModelConfig, step: { batch: number; microbatch?: number }): number;
}

/** B × T tokens in, the B × T tokens that follow them. */
export interface Batch {
  inputs: Uint16Array | Uint32Array;
  targets: Uint16Array | Uint32Array;
  /** B */
  sequences: number;
  /** T */
  length: number;
  /**
   * LSTM only: what the tokens before each sequence left behind, [layers, 2, B, width]: of each layer the hidden states, as
   * torch's h_n has them, and the cells, as its c_n. A constant to gradients. Absent: zeros
   */
  state?: Float32Array;
}

/** AdamW as PyTorch has it; the schedule is the caller's, so the learning rate comes with each step. */
export interface StepOptions {
  learningRate: number;
  /** default [0.9, 0.95] */
  betas?: [number, number];
  /** default 1e-8 */
  epsilon?: number;
  /** default 0.1, on parameters whose `decay` is true */
  weightDecay?: number;
  /** global norm above which gradients are scaled down; 0 or absent: never */
  clip?: number;
  /** sequences taken at a time; gradients accumulate over the batch. Default: the engine's choice */
  microbatch?: number;
  /** Dropout masks are a function of this, the step count and the engine, so that a resumed run draws the same. Default 0 */
  dropoutSeed?: number;
}

export interface StepResult {
  /** of this batch, before the update */
  loss: number;
  /** global norm of the gradient before clipping */
  gradientNorm: number;
  /** where the batch came with a state: what its sequences leave behind, before the update */
  state?: Float32Array;
}

export interface Model {
  readonly config: ModelConfig;
  /** Forward, backward, clip and AdamW on one batch. Asynchronous: the event loop lives while it computes. */
  trainStep(batch: Batch, options: StepOptions): Promise<StepResult>;
  /** Mean loss without dropout, in nats a token. */
  loss(batch: Batch): Promise<number>;
  /** Loss and its gradients without an update and without dropout: for tests and for gradient checks. */
  gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }>;
  /** B × T × V, without dropout. */
  logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array>;
  /** A decoder of `sequences` independent streams with its own cache (keys and values, or LSTM state). */
  decoder(sequences: number): Decoder;
  weights(): Weights;
  optimizerState(): OptimizerState;
  restoreOptimizer(state: OptimizerState): void;
  dispose(): void;
}

export interface Decoder {
  /** Feeds one token to each stream; returns sequences × V logits of the next. Throws when the block is full (GPT). */
  step(tokens: Uint16Array | Uint32Array): Float32Array;
  /** Tokens fed so far. */
  readonly position: number;
  /** Forgets everything fed. */
  reset(): void;
  dispose(): void;
}
