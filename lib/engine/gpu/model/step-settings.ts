/** Converts the settings of a step to the bytes that the device reads, and the bytes of its outcome back. */
import type { StepOptions } from '../../interface/index.ts';

/** Bytes of StepSettings of native/cuda/kernels/update.cuh. */
export const SETTINGS_BYTES = 40;
/** Bytes of StepOutcome of update.cuh: loss and norm as doubles, the factor that clips gradients, whether they are finite. */
export const OUTCOME_BYTES = 24;

/** @param step number of updates made so far */
export function stepSettings(options: StepOptions, step: number): Uint8Array {
  const { learningRate, betas = [0.9, 0.95], epsilon = 1e-8, weightDecay = 0.1, clip = 0, dropoutSeed = 0 } = options;
  const bytes = new Uint8Array(SETTINGS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, dropoutSeed >>> 0, true);
  view.setUint32(4, step >>> 0, true);
  const corrections = betas.map((beta) => 1 - beta ** (step + 1));
  for (const [i, value] of [learningRate, ...betas, epsilon, weightDecay, clip, ...corrections].entries())
    view.setFloat32(8 + 4 * i, value, true);
  return bytes;
}

/**
 * Reads a StepOutcome.
 *
 * @returns `gradientNorm` before clipping; `finite`: false if the step changed nothing, see update.cuh
 */
export function readOutcome(bytes: Uint8Array): { loss: number; gradientNorm: number; finite: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    loss: view.getFloat64(0, true),
    gradientNorm: view.getFloat64(8, true),
    finite: view.getUint32(20, true) === 1,
  };
}
