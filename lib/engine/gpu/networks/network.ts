/**
 * The interface of an architecture on the device. It adds the launches of a pass over one microbatch to a plan; GpuModel
 * does the rest for all architectures: inputs, accumulation, the norm, AdamW.
 */
import type { ModelConfig } from '../../../models/index.ts';
import type { Slice } from '../device/device.ts';
import type { ParameterLayout } from '../launches/parameter-layout.ts';
import type { PassBuilder } from '../launches/pass-builder.ts';

/** The arrays of a model that every plan uses. */
export interface ModelMemory {
  readonly layout: ParameterLayout;
  readonly weights: Slice;
  readonly gradients: Slice;
  /** bf16 copies of matrices; null in fp32 */
  readonly rounded: Slice | null;
  /** StepSettings of native/cuda/kernels/update.cuh: the seed and the step of dropout come first */
  readonly settings: Slice;
  /** the network's `tables`; null if it has none */
  readonly tables: Slice | null;
}

/** The input of a microbatch, which the CPU prepares. Rows are in the order of the network. */
export interface MicrobatchInput {
  /** (R) */
  readonly tokens: Slice;
  /** (R) */
  readonly targets: Slice;
  /** (R): the rows, sorted by token */
  readonly order: Slice;
  /** (segments,2): parts of `order` with one token */
  readonly segments: Slice;
  /** (V + 1): the first segment of each token */
  readonly firstSegment: Slice;
  /** number of segments; some of them may be empty */
  readonly segmentCount: number;
}

/** One pass: B = `sequences` windows of T = `length` tokens, R = B·T rows. */
export interface Pass {
  readonly sequences: number;
  readonly length: number;
  /** index of the first sequence within the batch; dropout masks depend on it */
  readonly firstSequence: number;
  /** sequences of the whole batch */
  readonly batch: number;
  readonly input: MicrobatchInput;
  /** whether gradients are wanted */
  readonly backward: boolean;
  /** whether gradients are written, rather than added to */
  readonly isFirst: boolean;
  readonly dropout: boolean;
  /** (R): receives the loss of each row, unless logits are wanted */
  readonly losses: Slice;
  /** (R,V): receives the logits; null if losses are wanted */
  readonly logits: Slice | null;
  /** (layers,2,batch,H): the state before; null for zeros */
  readonly state: Slice | null;
  /** (layers,2,batch,H): receives the state after; null if it is not wanted */
  readonly stateAfter: Slice | null;
}

/** An architecture. */
export interface Network {
  /** whether rows are in time-major order, row t·B + b, rather than b·T + t */
  readonly timeMajor: boolean;
  /** numbers that never change, such as the angles of rotary positions */
  readonly tables?: Float32Array;
  /** Adds the launches of a pass. */
  build(b: PassBuilder, memory: ModelMemory, pass: Pass): void;
  /**
   * Adds the launches that feed one token to each of B streams.
   *
   * @param io `tokens` (B), `position` (1): tokens fed before, `logits` (B,V); `state`: memory that lasts, of stateSize
   */
  buildDecoder(b: PassBuilder, memory: ModelMemory, io: DecoderIo): void;
  /** Bytes that a decoder of B streams keeps from token to token. They begin as zeros. */
  decoderStateSize(streams: number): number;
}

/** The inputs and outputs of a decoder. */
export interface DecoderIo {
  readonly streams: number;
  readonly tokens: Slice;
  readonly position: Slice;
  readonly logits: Slice;
  readonly state: Slice;
}

/** Dropout probability p as the threshold that 16-bit random numbers are compared with, as in the native engine. */
export const dropoutThreshold = ({ dropout }: ModelConfig) => Math.floor(Math.fround(dropout) * 65536 + 0.5);

/** Numbers in the buffer of logits, approximately. Logits are large, so the head works on some rows at a time. */
const LOGITS = 2 ** 25;
export const headRows = (rows: number, vocabulary: number) =>
  Math.min(rows, Math.max(128, Math.floor(LOGITS / vocabulary)));
