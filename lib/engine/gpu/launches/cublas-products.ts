/**
 * Matrix products by cuBLASLt, in bf16. It adds a bias and another matrix, and writes one result, in fp32 or bf16. What an
 * epilogue of ours does more is done by the kernel finishProduct in one pass over the result: GELU or its slope, and the
 * copy in bf16.
 */
import type { ProductLaunch, Slice } from '../device/device.ts';
import type { Epilogue, Layout, Output, Sizes } from './kernel-products.ts';
import type { Matrix, PassBuilder } from './pass-builder.ts';
import type { ProductCost } from './product-choice.ts';

/** The grid of a launch has at most so many rows. */
const LARGEST_GRID = 65535;
/** finishProduct: a block computes at least so many rows of 256 numbers. */
const FINISHED_ROWS = 4;

/** How cuBLASLt makes a product, and what is left for finishProduct. */
interface Division {
  /** whether it writes bf16 */
  rounded: boolean;
  /** where it writes; null: fp32 memory that is free again after finishProduct */
  into: Slice | null;
  /** what finishProduct writes; null: there is nothing left */
  rest: { floats: Slice | null; half: Slice | null } | null;
}

/** @returns undefined if cuBLASLt cannot make this product */
function divide({ bias, addend, gelu, pre }: Epilogue, { floats, half }: Output): Division | undefined {
  if (!gelu) {
    if (!half) return { rounded: false, into: floats, rest: null };
    // It would round a bias in bf16, or an addend in bf16, before it adds them.
    if (!floats && !bias && !addend) return { rounded: true, into: half, rest: null };
    return { rounded: false, into: floats, rest: { floats: null, half } };
  }
  // An addend comes after GELU.
  if (addend) return undefined;
  return { rounded: false, into: gelu === 'forward' ? (pre as Slice) : floats, rest: { floats, half } };
}

/**
 * The costs of both ways, in bytes; those of A and B are in both. A kernel that divides its sum writes partial matrices, which
 * another launch adds up. cuBLASLt is taken to do the same, because it has as many multiprocessors to fill.
 */
function costs(
  { M, N, K }: Sizes,
  { addend, gelu }: Epilogue,
  { floats, half }: Output,
  { rounded, rest }: Division,
  splits: number,
): { own: ProductCost; cublas: ProductCost } {
  /** Bytes of a matrix (M,N), if it is there. */
  const bytes = (isThere: unknown, each: number) => (isThere ? each * M * N : 0);
  const factors = 2 * (M + N) * K;
  const partials = 4 * splits * M * N;
  const cost = (results: number, finish: number[]): ProductCost =>
    splits > 1
      ? { bytes: factors + partials, passes: [partials + results, ...finish] }
      : { bytes: factors + results, passes: finish };
  const toRound = rest && 4 * M * N + bytes(gelu === 'backward', 4) + bytes(rest.floats, 4) + bytes(rest.half, 2);
  return {
    own: cost(bytes(floats, 4) + bytes(half, 2) + bytes(gelu, 4) + bytes(addend, 4), []),
    cublas: cost((rounded ? 2 : 4) * M * N + bytes(addend, 4), toRound === null ? [] : [toRound]),
  };
}

/**
 * Adds a product by cuBLASLt, if it is there, can make it, and is expected to be faster or was asked for.
 *
 * @param splits into which a kernel of ours would divide the sum
 * @returns whether it did
 */
export function multiplyByCublas(
  b: PassBuilder,
  layout: Layout,
  left: Matrix,
  right: Matrix,
  sizes: Sizes,
  epilogue: Epilogue,
  out: Output,
  splits = 1,
): boolean {
  const { cublas } = b.target;
  const division = divide(epilogue, out);
  if (!cublas || !b.bf16 || !division) return false;
  const { M, N, K } = sizes;
  const { own, cublas: theirs } = costs(sizes, epilogue, out, division, splits);
  if (!cublas.isFaster(2 * M * N * K, own, theirs)) return false;
  const { bias = null, addend = null, gelu, pre = null } = epilogue;
  const shape: ProductLaunch['product'] = {
    ...{ layout, M, N, K, lda: left.stride, ldb: right.stride, ldc: division.rounded ? out.stride : N },
    ...{ rounded: division.rounded, bias: bias !== null },
    addend: addend === null ? 'none' : addend.address === division.into?.address ? 'in place' : 'apart',
  };
  const workspace = cublas.workspaceOf(shape);
  if (workspace === undefined) return false;
  b.within(() => {
    const into = division.into ?? b.floats(M * N);
    b.launches.push({
      ...{ product: shape, A: left.half as Slice, B: right.half as Slice, bias, addend, C: into },
      workspace: workspace > 0 ? b.scratch(workspace / 4) : null,
    });
    if (!division.rest) return;
    const { floats, half } = division.rest;
    const rows = Math.max(FINISHED_ROWS, Math.ceil(M / LARGEST_GRID));
    const mode = gelu === undefined ? 0 : gelu === 'forward' ? 1 : 2;
    b.launch('finishProduct', [Math.ceil(N / 256), Math.ceil(M / rows), 1], 256, [
      ...[M, N, rows, into, gelu === 'backward' ? pre : null, floats, half, out.stride, mode],
    ]);
  });
  return true;
}
