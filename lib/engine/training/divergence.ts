/** When training has gone wrong for good. */

/** So many steps' losses are looked at together: one bad batch is no divergence. */
export const divergenceSpan = 10;

/** What a run's losses are held against. */
interface Run {
  /** loss of the run's first step */
  first: number;
  vocabularySize: number;
}

/**
 * A model that knows nothing has about the loss of guessing, ln V nats. One whose loss, averaged over ten steps, is twice as
 * much as that and as at its first step has learned worse than nothing; a loss or gradient that is no number ends at once.
 *
 * @param losses of the last steps, oldest first
 * @returns why this is divergence, or undefined if it is not
 */
export function divergenceOf(losses: number[], gradientNorm: number, run: Run): string | undefined {
  const loss = losses[losses.length - 1];
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  if (!Number.isFinite(gradientNorm)) return `the norm of the gradient is ${gradientNorm}`;
  const recent = losses.slice(-divergenceSpan);
  if (recent.length < divergenceSpan) return undefined;
  const mean = recent.reduce((sum, each) => sum + each, 0) / recent.length;
  return worseThanGuessing(`the loss on average over ${divergenceSpan} steps`, mean, run);
}

/** @returns why a mean over many tokens is divergence, or undefined if it is not */
export function worseThanGuessing(what: string, loss: number, { first, vocabularySize }: Run): string | undefined {
  if (!Number.isFinite(loss)) return `${what} is ${loss}`;
  const guessing = Math.log(vocabularySize);
  if (loss <= 2 * Math.max(guessing, first)) return undefined;
  return `${what} is ${loss.toFixed(2)}; guessing would give ${guessing.toFixed(2)}`;
}
