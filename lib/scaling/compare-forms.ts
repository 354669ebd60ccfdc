/**
 * Four descriptions of how loss goes with size, compared by the corrected Akaike information criterion (Hurvich & Tsai 1989):
 * constant, logarithmic, power law, power law with a floor. Which one is reported is decided in power-law.ts; this says how they stand.
 */
import { mean, Projection } from './variable-projection.ts';

export type Form = 'constant' | 'log-linear' | 'power' | 'power-plus-constant';

export interface Comparison {
  form: Form;
  /** the variance of the noise included */
  parameters: number;
  rmse: number;
  /** n·ln(RSS/n) + 2k + 2k(k+1)/(n−k−1); null where n ≤ k + 1, for which it is not defined */
  aicc: number | null;
  /** aicc − the least aicc of those that have one */
  difference: number | null;
  /** runs that are missing for an aicc */
  missing_runs: number;
}

const FORMS: readonly Form[] = ['constant', 'log-linear', 'power', 'power-plus-constant'];

export function compareForms(points: readonly { params: number; loss: number }[]): Comparison[] {
  const n = points.length;
  // Losses that a form meets exactly would have an information of −∞.
  const roundOff = points.reduce((sum, point) => sum + (1e-12 * point.loss) ** 2, 0);
  const compared = FORMS.map((form) => {
    const { squares, parameters } = leastSquares(points, form);
    const k = parameters + 1;
    const aicc = n > k + 1 ? n * Math.log((squares + roundOff) / n) + 2 * k + (2 * k * (k + 1)) / (n - k - 1) : null;
    return { form, parameters: k, rmse: Math.sqrt(squares / n), aicc, missing_runs: Math.max(0, k + 2 - n) };
  });
  const least = Math.min(...compared.map(({ aicc }) => aicc ?? Number.POSITIVE_INFINITY));
  return compared.map((form) => ({ ...form, difference: form.aicc === null ? null : form.aicc - least }));
}

function leastSquares(points: readonly { params: number; loss: number }[], form: Form) {
  switch (form) {
    case 'constant':
      return { squares: polynomial(points, 0).squares, parameters: 1 };
    case 'log-linear':
      return { squares: polynomial(points, 1).squares, parameters: 2 };
    case 'power':
      return { squares: new Projection(points, false).best.squares, parameters: 2 };
    case 'power-plus-constant':
      return { squares: new Projection(points, true).best.squares, parameters: 3 };
  }
}

/** L = b₀ + b₁·x + … in x = ln N − mean ln N, up to degree 2, by Gram–Schmidt on the sizes. */
export function polynomial(points: readonly { params: number; loss: number }[], degree: 0 | 1 | 2) {
  const logs = points.map((point) => Math.log(point.params));
  const middle = mean(logs);
  const x = logs.map((log) => log - middle);
  const basis: number[][] = [];
  let residuals = points.map((point) => point.loss);
  const projections: number[] = [];
  for (let power = 0; power <= degree; power++) {
    let column = x.map((value) => value ** power);
    for (const earlier of basis) {
      const share = dot(column, earlier) / dot(earlier, earlier);
      column = column.map((value, i) => value - share * earlier[i]);
    }
    const share = dot(residuals, column) / dot(column, column);
    residuals = residuals.map((value, i) => value - share * column[i]);
    basis.push(column);
    projections.push(share);
  }
  // The second basis column is x² − s·x − mean x², so the vertex of the parabola follows from it.
  const s =
    degree === 2
      ? dot(
          x.map((v) => v * v),
          x,
        ) / dot(x, x)
      : 0;
  const curvature = projections[2] ?? 0;
  const slope = (projections[1] ?? 0) - s * curvature;
  return { squares: dot(residuals, residuals), curvature, vertex: Math.exp(middle - slope / (2 * curvature)) };
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
