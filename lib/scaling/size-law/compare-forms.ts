/**
 * Compares four forms of L(N) by the corrected Akaike information criterion (AICc): constant, linear in log N, power
 * law, power law with a constant. This comparison is reported beside the fit. It does not decide which form is fitted;
 * choose-form.ts does.
 *
 * @see Hurvich and Tsai 1989, "Regression and time series model selection in small samples"
 */
import { mean } from '../numbers/index.ts';
import { VariableProjection } from './variable-projection.ts';

/** A form of the dependence of the loss on size. */
export type Form = 'constant' | 'log-linear' | 'power' | 'power-plus-constant';

/** The fit of one form to the losses. */
export interface Comparison {
  form: Form;
  /** k: the number of parameters, the variance of the noise included. */
  parameters: number;
  /** Root mean square of the residuals, in the unit of the loss. */
  rmse: number;
  /** n·ln(RSS/n) + 2k + 2k(k+1)/(n−k−1). Null if n ≤ k + 1, for which it is not defined. */
  aicc: number | null;
  /** aicc − the least aicc of all forms. */
  difference: number | null;
  /** Number of further runs needed to define aicc. */
  missing_runs: number;
}

interface SizedLoss {
  params: number;
  loss: number;
}

const FORMS: readonly Form[] = ['constant', 'log-linear', 'power', 'power-plus-constant'];

/**
 * Compares the four forms by AICc.
 *
 * @param points one per observation: `params` (count), `loss` (any unit, the same for all)
 * @returns one entry per form, in a fixed order
 */
export function compareForms(points: readonly SizedLoss[]): Comparison[] {
  const n = points.length;
  // This keeps AICc finite if a form fits all losses exactly.
  const roundOff = points.reduce((sum, point) => sum + (1e-12 * point.loss) ** 2, 0);
  const comparisons = FORMS.map((form) => {
    const { rss, parameters } = leastSquares(points, form);
    const k = parameters + 1;
    const aicc = n > k + 1 ? n * Math.log((rss + roundOff) / n) + 2 * k + (2 * k * (k + 1)) / (n - k - 1) : null;
    return { form, parameters: k, rmse: Math.sqrt(rss / n), aicc, missing_runs: Math.max(0, k + 2 - n) };
  });
  const least = Math.min(...comparisons.map(({ aicc }) => aicc ?? Number.POSITIVE_INFINITY));
  return comparisons.map((comparison) => ({
    ...comparison,
    difference: comparison.aicc === null ? null : comparison.aicc - least,
  }));
}

/** Residual sum of squares and number of parameters of a form, without the variance of the noise. */
function leastSquares(points: readonly SizedLoss[], form: Form): { rss: number; parameters: number } {
  switch (form) {
    case 'constant':
      return { rss: fitPolynomial(points, 0).rss, parameters: 1 };
    case 'log-linear':
      return { rss: fitPolynomial(points, 1).rss, parameters: 2 };
    case 'power':
      return { rss: new VariableProjection(points, false).best.rss, parameters: 2 };
    case 'power-plus-constant':
      return { rss: new VariableProjection(points, true).best.rss, parameters: 3 };
  }
}

/** A polynomial in log N that was fitted to losses. */
export interface PolynomialFit {
  /** Residual sum of squares. */
  rss: number;
  /** The coefficient of x²; 0 for a degree below 2. */
  curvature: number;
  /** The size N at the vertex of the parabola; meaningless for a degree below 2. */
  vertex: number;
}

/**
 * Fits L = b₀ + b₁·x + b₂·x² up to the given degree, where x = ln N − mean ln N. The basis polynomials are made
 * orthogonal over the sizes by the Gram–Schmidt process.
 */
export function fitPolynomial(points: readonly SizedLoss[], degree: 0 | 1 | 2): PolynomialFit {
  const logs = points.map((point) => Math.log(point.params));
  const middle = mean(logs);
  const x = logs.map((log) => log - middle);
  const basis: number[][] = [];
  let residuals = points.map((point) => point.loss);
  const coefficients: number[] = [];
  for (let power = 0; power <= degree; power++) {
    let column = x.map((value) => value ** power);
    for (const earlier of basis) {
      const coefficient = dot(column, earlier) / dot(earlier, earlier);
      column = column.map((value, i) => value - coefficient * earlier[i]);
    }
    const coefficient = dot(residuals, column) / dot(column, column);
    residuals = residuals.map((value, i) => value - coefficient * column[i]);
    basis.push(column);
    coefficients.push(coefficient);
  }
  // The quadratic basis polynomial is x² − s·x − mean x², so the slope at x = 0 is b₁ − s·b₂.
  const s =
    degree === 2
      ? dot(
          x.map((v) => v * v),
          x,
        ) / dot(x, x)
      : 0;
  const curvature = coefficients[2] ?? 0;
  const slope = (coefficients[1] ?? 0) - s * curvature;
  return { rss: dot(residuals, residuals), curvature, vertex: Math.exp(middle - slope / (2 * curvature)) };
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
