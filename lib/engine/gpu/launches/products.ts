/** Matrix products, by cuBLASLt or by our kernels, and the sums for gradients of weights and biases. */
import type { Slice } from '../device/device.ts';
import { multiplyByCublas } from './cublas-products.ts';
import { type Epilogue, launchProduct, splitsOf, unsplit } from './kernel-products.ts';
import { afterFloats, type Matrix, type PassBuilder } from './pass-builder.ts';
import type { Sums } from './sums.ts';

/** out (M,N) = left · right (NN) or left · rightᵀ (NT), with an epilogue. */
export function product(
  b: PassBuilder,
  layout: 'NN' | 'NT',
  left: Matrix,
  right: Matrix,
  out: Matrix,
  epilogue: Epilogue = {},
): void {
  const sizes = { M: left.rows, N: layout === 'NN' ? right.columns : right.rows, K: left.columns };
  if (multiplyByCublas(b, layout, left, right, sizes, epilogue, out)) return;
  launchProduct(b, layout, left, right, sizes, unsplit(sizes.K), epilogue, out);
}

/**
 * gradient (M,N) = leftᵀ · right, or += if `accumulate`. left (R,M), right (R,N). The sum over R may be split among blocks.
 * The gradient is complete when `sums` are.
 */
export function weightGradient(sums: Sums, left: Matrix, right: Matrix, gradient: Slice, accumulate: boolean): void {
  const b = sums.builder;
  const sizes = { M: left.columns, N: right.columns, K: left.rows };
  const { M, N } = sizes;
  const split = splitsOf(b, sizes);
  const epilogue = { addend: accumulate ? gradient : null };
  const into = (floats: Slice) => ({ floats, half: null, stride: 0 });
  // A sum into the same place may still wait.
  sums.launchInto(gradient);
  if (multiplyByCublas(b, 'TN', left, right, sizes, epilogue, into(gradient), split.splits)) return;
  if (split.splits === 1) {
    launchProduct(b, 'TN', left, right, sizes, split, epilogue, into(gradient));
    return;
  }
  const partials = b.floats(split.splits * M * N);
  launchProduct(b, 'TN', left, right, sizes, split, {}, into(partials));
  sums.add({ n: M * N, parts: split.splits, partials, out: gradient, accumulate });
}

/** Divides rows into at most 64 groups of at least 64 rows. Each group is summed by one block. */
function rowGroups(rows: number): { groups: number; rowsOfGroup: number } {
  const rowsOfGroup = Math.max(64, Math.ceil(rows / 64));
  return { groups: Math.ceil(rows / rowsOfGroup), rowsOfGroup };
}

/** Each of `outs` (N) = Σ over the rows of x (rows,N), or += if `accumulate`. */
export function columnSums(sums: Sums, x: Slice, rows: number, N: number, outs: Slice[], accumulate: boolean): void {
  const b = sums.builder;
  const { groups, rowsOfGroup } = rowGroups(rows);
  const partials = b.floats(groups * N);
  b.launch('columnSums', [Math.ceil(N / 32), groups, 1], 256, [rows, N, x, N, rowsOfGroup, partials], 1024);
  for (const out of outs) sums.add({ n: N, parts: groups, partials, out, accumulate });
}

/** Writes the gradients of LayerNorm's weight and bias (null if it has none), or adds to them if `accumulate`. */
export function layerNormGradients(
  sums: Sums,
  x: Slice,
  statistics: { mean: Slice; rstd: Slice },
  dout: Slice,
  [rows, C]: [number, number],
  gradients: { weight: Slice; bias: Slice | null },
  accumulate: boolean,
): void {
  const b = sums.builder;
  const { groups, rowsOfGroup } = rowGroups(rows);
  const partials = b.floats(2 * groups * C);
  const biases = gradients.bias && afterFloats(partials, groups * C);
  b.launch(
    'layerNormGradients',
    [Math.ceil(C / 32), groups, 1],
    256,
    [rows, C, x, statistics.mean, statistics.rstd, dout, rowsOfGroup, partials, biases],
    1024,
  );
  const sum = { n: C, parts: groups, accumulate };
  sums.add({ ...sum, partials, out: gradients.weight });
  if (biases) sums.add({ ...sum, partials: biases, out: gradients.bias as Slice });
}
