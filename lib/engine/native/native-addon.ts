/** The addon of native/engine as TypeScript sees it: plain functions on handles and typed arrays. */
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireFresh } from '../../../native/built.mjs';
import { type ModelConfig, type Parameter, sizeOf } from '../../models/index.ts';
import { EngineError } from '../interface/index.ts';

declare const handle: unique symbol;
export type ModelHandle = { [handle]: 'model' };
export type DecoderHandle = { [handle]: 'decoder' };

export type AddonParameter = { name: string; size: number; decay: number };
export type AddonStep = Record<
  'learningRate' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'clip' | 'microbatch' | 'dropoutSeed',
  number
>;

/** What `run` computes. */
export const work = { train: 0, loss: 1, gradients: 2, logits: 3 } as const;
/** What `read` and `write` transfer, parameters one after the other. */
export const state = { weights: 0, first: 1, second: 2 } as const;

export interface Addon {
  /** @returns what the kernels of this name are called for people, undefined where the CPU lacks them; '': the best there are */
  kernelsName(name: string, precision: string): string | undefined;
  /** @returns those that there are, under the names of lib/models */
  architectures(): string[];
  create(
    config: ModelConfig,
    parameters: AddonParameter[],
    threads: number,
    kernels: string,
    precision: string,
  ): ModelHandle;
  /** bytes; microbatch 0: the engine's choice */
  memory(
    config: ModelConfig,
    parameters: AddonParameter[],
    threads: number,
    batch: number,
    microbatch: number,
    kernels: string,
    precision: string,
  ): number;
  read(model: ModelHandle, which: number, out: Float32Array): void;
  write(model: ModelHandle, which: number, values: Float32Array): void;
  step(model: ModelHandle): number;
  setStep(model: ModelHandle, step: number): void;
  dispose(model: ModelHandle): void;
  /** Tokens and state are copied; gradients, logits and, in training from a state, the one after are written into `out`. */
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
  decoderStep(decoder: DecoderHandle, tokens: Uint32Array, logits: Float32Array): void;
  decoderReset(decoder: DecoderHandle): void;
  decoderDispose(decoder: DecoderHandle): void;
  /** One kernel of a set (a name that ENGINE_ISA takes, or one and "/bf16") on these arrays; for tests. */
  kernel(set: string, name: string, numbers: number[], arrays: (Float32Array | Uint32Array | null)[]): number;
}

/**
 * @throws EngineError where the addon is not built, or was built for another machine
 * @throws StaleAddonError where it was built of other sources
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

export function addonParameters(list: Parameter[]): AddonParameter[] {
  return list.map(({ name, shape, decay }) => ({ name, size: sizeOf(shape), decay: Number(decay) }));
}
