/** When training has gone wrong for good. */

/** So many steps' losses are looked at together: one bad batch is no divergence. */
export const divergenceSpan = 10;

/**
 * Guessing among V tokens costs ln V nats, and an untrained model about that. One whose loss, averaged over ten steps, is
 * twice as much has learned worse than nothing; a loss or gradient that is no number ends at once whatever it was.
 *
 * @param losses of the steps so far, the last one included
 * @returns why this is divergence, or undefined if it is not
 */
export function divergenceOf(losses: number[], gradientNorm: number, vocabularySize: number): string | undefined {
  const loss = losses[losses.length - 1];
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  if (!Number.isFinite(gradientNorm)) return `the norm of the gradient is ${gradientNorm}`;
  const recent = losses.slice(-divergenceSpan);
  const mean = recent.reduce((sum, each) => sum + each, 0) / recent.length;
  const limit = 2 * Math.log(vocabularySize);
  if (recent.length === divergenceSpan && mean > limit)
    return `the loss is ${mean.toFixed(2)} on average over ${divergenceSpan} steps; guessing would give ${(limit / 2).toFixed(2)}`;
  return undefined;
}
