/** The launches that end a step: the loss and the norm of the gradient, and AdamW. */
import type { Slice } from '../device/device.ts';
import type { PassBuilder } from '../launches/pass-builder.ts';
import type { ModelMemory } from '../networks/network.ts';

/** Numbers that a block of the kernel `squares` adds up. */
const SQUARES = 4096;

/** losses (tokens) → outcome: the mean loss and, if `withNorm`, the norm of the gradient and the factor of clipping. */
export function finishStep(
  b: PassBuilder,
  memory: ModelMemory,
  losses: Slice,
  tokens: number,
  outcome: Slice,
  withNorm: boolean,
): void {
  const { gradients, layout, settings } = memory;
  const parts = withNorm ? Math.ceil(layout.total / SQUARES) : 0;
  const partials = b.scratch(2 * Math.max(1, parts));
  if (withNorm) b.launch('squares', [parts, 1, 1], 256, [layout.total, gradients, partials], 2048);
  b.launch('finishStep', [1, 1, 1], 256, [tokens, losses, parts, partials, settings, outcome], 2048);
}

/** Updates all parameters, unless the loss or the norm in `outcome` is NaN or infinite. */
export function adamw(
  b: PassBuilder,
  memory: ModelMemory,
  outcome: Slice,
  state: { chunks: Slice; chunkCount: number; first: Slice; second: Slice },
): void {
  b.launch('adamw', [state.chunkCount, 1, 1], 256, [
    ...[state.chunks, memory.settings, outcome, memory.weights, memory.gradients],
    ...[state.first, state.second, memory.rounded],
  ]);
}
