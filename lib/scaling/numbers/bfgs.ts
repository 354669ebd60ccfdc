/**
 * BFGS with a backtracking line search: minimises a smooth function of a few variables whose gradient is known. It
 * finds a local minimum, so the caller must choose the starting points.
 *
 * @see Nocedal and Wright 2006, "Numerical optimization", algorithms 6.1 (BFGS) and 3.1 (backtracking)
 */

/** Writes the gradient at x into `gradient` and returns the value. */
export type Objective = (x: readonly number[], gradient: number[]) => number;

const MAX_STEPS = 400;
/**
 * A step counts as idle if it decreases the value by less than this share of it. A share does not depend on the scale
 * of the objective.
 */
const MIN_GAIN = 1e-12;
/** The search ends after this many idle steps in a row. */
const MAX_IDLE_STEPS = 3;
/** Constant of the Armijo condition: the share of the predicted decrease that a step must reach. */
const ARMIJO = 1e-4;
/** The line search gives up below this step length. */
const MIN_STEP_LENGTH = 1e-14;

/**
 * Finds a local minimum of the objective.
 *
 * @param start the point at which the search begins
 * @returns the minimum and the value there
 */
export function minimise(objective: Objective, start: readonly number[]): { x: number[]; value: number } {
  const n = start.length;
  let x = [...start];
  let gradient = new Array<number>(n).fill(0);
  let value = objective(x, gradient);
  let inverseHessian = identity(n);
  let idle = 0;
  for (let step = 0; step < MAX_STEPS && idle < MAX_IDLE_STEPS; step++) {
    let direction = inverseHessian.map((row) => -dot(row, gradient));
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      inverseHessian = identity(n);
      direction = gradient.map((g) => -g);
      slope = dot(direction, gradient);
      if (slope === 0) break;
    }
    const nextGradient = new Array<number>(n).fill(0);
    let nextX = x;
    let nextValue = Number.POSITIVE_INFINITY;
    for (let length = 1; length > MIN_STEP_LENGTH; length /= 2) {
      nextX = x.map((xi, i) => xi + length * direction[i]);
      nextValue = objective(nextX, nextGradient);
      if (nextValue <= value + ARMIJO * length * slope) break;
    }
    if (!(nextValue < value)) {
      // No step along this direction decreases the value. Try the gradient; if that fails too, x is the minimum.
      idle++;
      inverseHessian = identity(n);
      continue;
    }
    idle = value - nextValue < MIN_GAIN * Math.abs(nextValue) ? idle + 1 : 0;
    updateInverseHessian(
      inverseHessian,
      nextX.map((xi, i) => xi - x[i]),
      nextGradient.map((g, i) => g - gradient[i]),
    );
    [x, gradient, value] = [nextX, nextGradient, nextValue];
  }
  return { x, value };
}

/**
 * The BFGS update H ← (I − s·yᵀ/yᵀs)·H·(I − y·sᵀ/yᵀs) + s·sᵀ/yᵀs, in place. Skipped if the curvature yᵀs is not
 * positive.
 *
 * @param h the inverse Hessian, n × n
 * @param s the step in x
 * @param y the change of the gradient
 */
function updateInverseHessian(h: number[][], s: readonly number[], y: readonly number[]): void {
  const curvature = dot(s, y);
  if (curvature <= 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) return;
  const hy = h.map((row) => dot(row, y));
  const scale = (1 + dot(y, hy) / curvature) / curvature;
  for (let i = 0; i < s.length; i++)
    for (let j = 0; j < s.length; j++) h[i][j] += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / curvature;
}

function identity(n: number): number[][] {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
