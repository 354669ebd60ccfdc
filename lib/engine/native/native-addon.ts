/**
 * The TypeScript interface of the addon of native/engine: functions on handles and typed arrays. It does not check its
 * arguments; native-engine.ts does.
 */
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireFresh } from '../../../native/built.mjs';
import { elementCount, type ModelConfig, type Parameter } from '../../models/index.ts';
import { EngineError } from '../interface/index.ts';

declare const handle: unique symbol;
/** A model inside the addon. */
export type ModelHandle = { [handle]: 'model' };
/** A decoder inside the addon. */
export type DecoderHandle = { [handle]: 'decoder' };

/** A parameter in the order of `parameters(config)`; `size` is its number of values, `decay` is 1 or 0. */
export type AddonParameter = { name: string; size: number; decay: number };
/** StepOptions with all defaults filled in; microbatch 0 is the engine's choice. */
export type AddonStep = Record<
  'learningRate' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'clip' | 'microbatch' | 'dropoutSeed',
  number
>;

/** The values of the argument `work` of `run`. */
export const WORK = { train: 0, loss: 1, gradients: 2, logits: 3, tokenLosses: 4 } as const;
/** The arrays that `read` and `write` transfer: weights, and AdamW's first and second moments. */
export const BUFFERS = { weights: 0, first: 1, second: 2 } as const;

/** The functions of the addon. Sizes and shapes are in the letters of interface/engine.ts. */
export interface Addon {
  /**
   * @param name a value that ENGINE_ISA may have, or '' for the best kernels of this CPU
   * @returns the kernels' name for people, or undefined if the CPU lacks them
   */
  kernelsName(name: string, precision: string): string | undefined;
  /** @returns the architectures that the engine has, by the names of lib/models */
  architectures(): string[];
  create(
    config: ModelConfig,
    parameters: AddonParameter[],
    threads: number,
    kernels: string,
    precision: string,
  ): ModelHandle;
  /** @returns the estimated peak memory of training in bytes; microbatch 0 is the engine's choice */
  memory(
    config: ModelConfig,
    parameters: AddonParameter[],
    threads: number,
    batch: number,
    microbatch: number,
    kernels: string,
    precision: string,
  ): number;
  /** Copies one of BUFFERS, all parameters one after the other, into `out`. */
  read(model: ModelHandle, buffer: number, out: Float32Array): void;
  /** Replaces one of BUFFERS by `values`, all parameters one after the other. */
  write(model: ModelHandle, buffer: number, values: Float32Array): void;
  /** @returns the number of AdamW updates made */
  step(model: ModelHandle): number;
  setStep(model: ModelHandle, step: number): void;
  dispose(model: ModelHandle): void;
  /**
   * Computes on the addon's threads. Tokens and state are copied at the call.
   *
   * @param work one of WORK
   * @param inputs (B,T)
   * @param targets (B,T); not for logits
   * @param sequences B
   * @param length T
   * @param out receives the gradients, the logits (B,T,V), the losses of tokens (B,T), or, when training from a state, the state after the step (L,2,B,H)
   * @param state (L,2,B,H), LSTM only
   */
  run(
    model: ModelHandle,
    work: number,
    inputs: Uint32Array,
    targets: Uint32Array | undefined,
    sequences: number,
    length: number,
    options: AddonStep | undefined,
    out: Float32Array | undefined,
    state: Float32Array | undefined,
  ): Promise<{ loss: number; gradientNorm: number }>;
  decoder(model: ModelHandle, streams: number): DecoderHandle;
  /** @param tokens (B) @param logits receives (B,V) */
  decoderStep(decoder: DecoderHandle, tokens: Uint32Array, logits: Float32Array): void;
  decoderReset(decoder: DecoderHandle): void;
  decoderDispose(decoder: DecoderHandle): void;
  /**
   * Runs one kernel on these arrays, for tests. `set` is a value that ENGINE_ISA may have, or such a value followed by
   * "/bf16".
   */
  kernel(set: string, name: string, numbers: number[], arrays: (Float32Array | Uint32Array | null)[]): number;
}

/**
 * Loads the compiled addon of native/engine.
 *
 * @throws EngineError if the addon is not built, or was built for another machine
 * @throws StaleAddonError if it was built from other sources than those beside it
 */
export function loadAddon(): Addon {
  requireFresh('engine');
  const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../../../native/engine');
  const require = createRequire(import.meta.url);
  try {
    return require('node-gyp-build')(folder) as Addon;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new EngineError(
      `the native engine is not built (${reason}); install a C++ compiler, make and Python 3, then run \`npm run build\``,
    );
  }
}

/** Converts parameters to the form that the addon expects. */
export function addonParameters(list: Parameter[]): AddonParameter[] {
  return list.map(({ name, shape, decay }) => ({ name, size: elementCount(shape), decay: Number(decay) }));
}
