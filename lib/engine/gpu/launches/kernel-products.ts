/** Launches of the matrix products of native/cuda/kernels/products.cuh, in all precisions. */
import type { Slice } from '../device/device.ts';
import type { Matrix, PassBuilder } from './pass-builder.ts';

/** See native/cuda/kernels/products.cuh. */
export type Layout = 'NN' | 'NT' | 'TN';
/** Rows and columns of C that a block computes. */
const [TILE, SMALL_TILE] = [128, 64];
const STAGES = 3;
/** K is split until there are this many blocks for each multiprocessor. */
const WANTED_BLOCKS = 2;
/** Least number of rows that a split sums over. */
const LEAST_DEPTH = 128;

/** M, N and K of a product. */
export interface Sizes {
  M: number;
  N: number;
  K: number;
}

/** Operations on a product before it is stored. */
export interface Epilogue {
  bias?: Slice | null;
  /** (M,N) fp32, added to the product; it may be `out` */
  addend?: Slice | null;
  /** forward: stores the product in `pre` (M,N), and its GELU in `out`. backward: multiplies it by GELU's slope at `pre` */
  gelu?: 'forward' | 'backward';
  pre?: Slice | null;
}

/** Where a product is stored: in fp32 without padding, in bf16 with rows of `stride` numbers, or both. */
export type Output = Pick<Matrix, 'floats' | 'half' | 'stride'>;

const operand = (b: PassBuilder, { floats, half, columns, stride }: Matrix): [Slice, number] =>
  b.bf16 ? [half as Slice, stride] : [floats as Slice, columns];

/** Blocks of a matrix (M,N). */
const blocksOf = (tile: number, M: number, N: number) => Math.ceil(M / tile) * Math.ceil(N / tile);

/** Small tiles, if there is at most one row or column of them, or if large ones would leave multiprocessors idle. */
const tileOf = ({ target }: PassBuilder, M: number, N: number, splits: number) =>
  Math.min(M, N) <= SMALL_TILE || blocksOf(TILE, M, N) * splits < target.multiprocessors ? SMALL_TILE : TILE;

/** Bytes of shared memory: OperandTile of products.cuh for both factors and all stages. */
const sharedBytes = (b: PassBuilder, layout: Layout, tile: number) => {
  const kMajor = b.bf16 ? 32 * (tile + 8) * 2 : 16 * (tile + 8) * 4;
  const rows = b.bf16 ? tile * (32 + 8) * 2 : tile * (16 + 4) * 4;
  return STAGES * ((layout === 'TN' ? kMajor : rows) + (layout === 'NT' ? rows : kMajor));
};

const SUFFIX = { fp32: '', tf32: 'Tf32', bf16: 'Bf16' };

/** How the sum over K is divided among blocks: parts of `depth` rows, a multiple of 32. */
export interface Splits {
  depth: number;
  splits: number;
}

/** Leaves the sum over K in one part. */
export const unsplit = (K: number): Splits => ({ depth: Math.ceil(K / 32) * 32, splits: 1 });

/** Splits the sum into enough parts to give every multiprocessor work. */
export function splitsOf(b: PassBuilder, { M, N, K }: Sizes): Splits {
  const tiles = blocksOf(Math.min(M, N) <= SMALL_TILE ? SMALL_TILE : TILE, M, N);
  const most = Math.floor((WANTED_BLOCKS * b.target.multiprocessors) / tiles);
  const wanted = Math.max(1, Math.min(most, Math.ceil(K / LEAST_DEPTH)));
  const depth = Math.ceil(Math.ceil(K / wanted) / 32) * 32;
  return { depth, splits: Math.ceil(K / depth) };
}

/** Adds a product by a kernel. With several splits, `out` receives one matrix for each split, one after the other. */
export function launchProduct(
  b: PassBuilder,
  layout: Layout,
  left: Matrix,
  right: Matrix,
  { M, N, K }: Sizes,
  { depth, splits }: Splits,
  { bias = null, addend = null, pre = null, gelu }: Epilogue,
  out: Output,
): void {
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
