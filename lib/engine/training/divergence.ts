/** Detects that a training run has diverged, so that it can stop. */

/** Divergence is decided on the mean loss of this many steps, because the loss of a single batch is noisy. */
export const DIVERGENCE_STEPS = 10;

/** The losses that the test compares with: those of a model that has not learned anything from the data. */
interface Baseline {
  /** loss of the run's first step, in nats per token */
  firstLoss: number;
  vocabularySize: number;
}

/**
 * Training has diverged if the mean loss of the last 10 steps is more than twice ln V (uniform guessing, in nats) and
 * more than twice the first loss, or if a loss or gradient norm is NaN or infinite.
 *
 * @param losses of the last steps, oldest first, in nats per token
 * @param gradientNorm global norm of the last step
 * @returns the reason in words, or undefined if training has not diverged
 */
export function divergenceReason(losses: number[], gradientNorm: number, baseline: Baseline): string | undefined {
  const loss = losses[losses.length - 1];
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  if (!Number.isFinite(gradientNorm)) return `the norm of the gradient is ${gradientNorm}`;
  const recent = losses.slice(-DIVERGENCE_STEPS);
  if (recent.length < DIVERGENCE_STEPS) return undefined;
  const mean = recent.reduce((sum, each) => sum + each, 0) / recent.length;
  return lossDivergenceReason(`the loss on average over ${DIVERGENCE_STEPS} steps`, mean, baseline);
}

/**
 * Applies the same test to a loss that is already a mean over many tokens, such as the validation loss.
 *
 * @param name names the loss in the reason
 * @param loss in nats per token
 * @returns the reason in words, or undefined if training has not diverged
 */
export function lossDivergenceReason(name: string, loss: number, baseline: Baseline): string | undefined {
  if (!Number.isFinite(loss)) return `${name} is ${loss}`;
  const guessing = Math.log(baseline.vocabularySize);
  if (loss <= 2 * Math.max(guessing, baseline.firstLoss)) return undefined;
  return `${name} is ${loss.toFixed(2)}; guessing would give ${guessing.toFixed(2)}`;
}
