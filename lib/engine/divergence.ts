/** When training has gone wrong for good. */

/** So many steps' losses are looked at together: one bad batch is no divergence. */
export const divergenceSpan = 10;

/**
 * A model that knows nothing has about the loss of guessing, ln V nats. One whose loss, averaged over ten steps, is twice as
 * much as that and as at its first step has learned worse than nothing; a loss or gradient that is no number ends at once.
 *
 * @param losses of the last steps, oldest first
 * @param first loss of the run's first step
 * @returns why this is divergence, or undefined if it is not
 */
export function divergenceOf(
  losses: number[],
  gradientNorm: number,
  { first, vocabularySize }: { first: number; vocabularySize: number },
): string | undefined {
  const loss = losses[losses.length - 1];
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  if (!Number.isFinite(gradientNorm)) return `the norm of the gradient is ${gradientNorm}`;
  const recent = losses.slice(-divergenceSpan);
  const mean = recent.reduce((sum, each) => sum + each, 0) / recent.length;
  const guessing = Math.log(vocabularySize);
  if (recent.length === divergenceSpan && mean > 2 * Math.max(guessing, first))
    return `the loss is ${mean.toFixed(2)} on average over ${divergenceSpan} steps; guessing would give ${guessing.toFixed(2)}`;
  return undefined;
}
