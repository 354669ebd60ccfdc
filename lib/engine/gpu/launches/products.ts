/** Launches of matrix products, and of the sums that gradients of weights and biases need. */
import type { Slice } from '../device/device.ts';
import { afterFloats, type Matrix, type PassBuilder } from './pass-builder.ts';
import type { Sums } from './sums.ts';

/** See native/cuda/kernels/products.cuh. */
export type Layout = 'NN' | 'NT' | 'TN';
/** A block computes so many rows and columns. */
const [TILE, SMALL_TILE] = [128, 64];
const STAGES = 3;
/** Splits of K end when there are so many blocks for each multiprocessor. */
const WANTED_BLOCKS = 2;
/** Each split sums over at least so many rows. */
const LEAST_DEPTH = 128;

/** What happens to a product before it is stored. */
interface Epilogue {
  bias?: Slice | null;
  /** (M,N) fp32, added to the product; it may be `out` */
  addend?: Slice | null;
  /** forward: `pre` (M,N) keeps the product, and GELU of it is stored. backward: it is multiplied by GELU's slope at `pre` */
  gelu?: 'forward' | 'backward';
  pre?: Slice | null;
}

const operand = (b: PassBuilder, { floats, half, columns, stride }: Matrix): [Slice, number] =>
  b.bf16 ? [half as Slice, stride] : [floats as Slice, columns];

/** Blocks of a matrix (M,N). */
const blocksOf = (tile: number, M: number, N: number) => Math.ceil(M / tile) * Math.ceil(N / tile);

/** Small tiles, if there is at most one row or column of them, or if large ones would leave multiprocessors idle. */
const tileOf = ({ target }: PassBuilder, M: number, N: number, splits: number) =>
  Math.min(M, N) <= SMALL_TILE || blocksOf(TILE, M, N) * splits < target.multiprocessors ? SMALL_TILE : TILE;

/** OperandTile of products.cuh, of both factors and all stages. */
const sharedBytes = (b: PassBuilder, layout: Layout, tile: number) => {
  const kMajor = b.bf16 ? 32 * (tile + 8) * 2 : 16 * (tile + 8) * 4;
  const rows = b.bf16 ? tile * (32 + 8) * 2 : tile * (16 + 4) * 4;
  return STAGES * ((layout === 'TN' ? kMajor : rows) + (layout === 'NT' ? rows : kMajor));
};

const SUFFIX = { fp32: '', tf32: 'Tf32', bf16: 'Bf16' };

function launchProduct(
  b: PassBuilder,
  layout: Layout,
  left: Matrix,
  right: Matrix,
  sizes: { M: number; N: number; K: number; depth: number; splits: number },
  { bias = null, addend = null, pre = null, gelu }: Epilogue,
  out: { floats: Slice | null; half: Slice | null; stride: number },
): void {
  const { M, N, K, depth, splits } = sizes;
  const mode = gelu === undefined ? 0 : gelu === 'forward' ? 1 : 2;
  const tile = tileOf(b, M, N, splits);
  b.launch(
    `product${layout}${tile === SMALL_TILE ? 'Small' : ''}${SUFFIX[b.target.precision]}`,
    [Math.ceil(N / tile), Math.ceil(M / tile), splits],
    2 * tile,
    [
      ...[M, N, K, ...operand(b, left), ...operand(b, right), depth],
      ...[bias, addend, pre, out.floats, N, out.half, out.stride, mode],
    ],
    sharedBytes(b, layout, tile),
  );
}

/** out (M,N) = left · right (NN) or left · rightᵀ (NT), with an epilogue. */
export function product(
  b: PassBuilder,
  layout: 'NN' | 'NT',
  left: Matrix,
  right: Matrix,
  out: Matrix,
  epilogue: Epilogue = {},
): void {
  const [M, K] = [left.rows, left.columns];
  const N = layout === 'NN' ? right.columns : right.rows;
  launchProduct(b, layout, left, right, { M, N, K, depth: Math.ceil(K / 32) * 32, splits: 1 }, epilogue, out);
}

/**
 * gradient (M,N) = leftᵀ · right, or += if `accumulate`. left (R,M), right (R,N). The sum over R is split among blocks. The
 * gradient is complete when `sums` are.
 */
export function weightGradient(sums: Sums, left: Matrix, right: Matrix, gradient: Slice, accumulate: boolean): void {
  const b = sums.builder;
  const [M, N, K] = [left.columns, right.columns, left.rows];
  const tiles = blocksOf(Math.min(M, N) <= SMALL_TILE ? SMALL_TILE : TILE, M, N);
  const most = Math.floor((WANTED_BLOCKS * b.target.multiprocessors) / tiles);
  const wanted = Math.max(1, Math.min(most, Math.ceil(K / LEAST_DEPTH)));
  const depth = Math.ceil(Math.ceil(K / wanted) / 32) * 32;
  const splits = Math.ceil(K / depth);
  const sizes = { M, N, K, depth, splits };
  const into = (floats: Slice) => ({ floats, half: null, stride: 0 });
  if (splits === 1) {
    // A sum into the same place may still wait.
    sums.launch();
    launchProduct(b, 'TN', left, right, sizes, { addend: accumulate ? gradient : null }, into(gradient));
    return;
  }
  const partials = b.floats(splits * M * N);
  launchProduct(b, 'TN', left, right, sizes, {}, into(partials));
  sums.add({ n: M * N, parts: splits, partials, out: gradient, accumulate });
}

/** Rows are summed in at most 64 groups, of at least 64 rows. */
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

/** The gradients of LayerNorm's weight and bias (null if it has none), which are written, or += if `accumulate`. */
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
