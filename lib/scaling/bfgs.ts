/**
 * BFGS with a backtracking line search, for a smooth function of a handful of variables whose gradient is known.
 * Nocedal & Wright 2006, algorithm 6.1. It finds the minimum of the valley it starts in: choosing starts is the caller's.
 */

/** Writes the gradient at x into `gradient` and returns the value. */
export type Objective = (x: readonly number[], gradient: number[]) => number;

const MOST_STEPS = 400;
/** Steps that gain less than this share of the value end the search: a share, so that the scale of the objective does not matter. */
const LEAST_GAIN = 1e-12;

export function minimise(objective: Objective, start: readonly number[]): { x: number[]; value: number } {
  const n = start.length;
  let x = [...start];
  let gradient = new Array<number>(n).fill(0);
  let value = objective(x, gradient);
  let inverse = identity(n);
  let idle = 0;
  for (let step = 0; step < MOST_STEPS && idle < 3; step++) {
    let direction = inverse.map((row) => -dot(row, gradient));
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      inverse = identity(n);
      direction = gradient.map((g) => -g);
      slope = dot(direction, gradient);
      if (slope === 0) break;
    }
    const next = new Array<number>(n).fill(0);
    let length = 1;
    let candidate = x;
    let reached = Number.POSITIVE_INFINITY;
    for (; length > 1e-14; length /= 2) {
      candidate = x.map((xi, i) => xi + length * direction[i]);
      reached = objective(candidate, next);
      if (reached <= value + 1e-4 * length * slope) break;
    }
    if (!(reached < value)) {
      // The model of the curvature has failed; once more along the gradient, then it is the minimum.
      idle++;
      inverse = identity(n);
      continue;
    }
    idle = value - reached < LEAST_GAIN * Math.abs(reached) ? idle + 1 : 0;
    update(
      inverse,
      candidate.map((xi, i) => xi - x[i]),
      next.map((g, i) => g - gradient[i]),
    );
    [x, gradient, value] = [candidate, next, reached];
  }
  return { x, value };
}

/** H ← (I − s·yᵀ/yᵀs)·H·(I − y·sᵀ/yᵀs) + s·sᵀ/yᵀs, where the curvature yᵀs is positive. */
function update(inverse: number[][], s: readonly number[], y: readonly number[]): void {
  const curvature = dot(s, y);
  if (curvature <= 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) return;
  const hy = inverse.map((row) => dot(row, y));
  const scale = (1 + dot(y, hy) / curvature) / curvature;
  for (let i = 0; i < s.length; i++)
    for (let j = 0; j < s.length; j++) inverse[i][j] += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / curvature;
}

function identity(n: number): number[][] {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
