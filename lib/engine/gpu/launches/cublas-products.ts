/**
 * Matrix products by cuBLASLt, in bf16. cuBLASLt adds a bias and another matrix, and writes one result, in fp32 or bf16. The
 * kernel finishProduct does the rest of our epilogues in one pass over the result: GELU or its slope, and the bf16 copy.
 */
import type { ProductLaunch, Slice } from '../device/device.ts';
import type { Epilogue, Layout, Output, Sizes } from './kernel-products.ts';
import type { Matrix, PassBuilder } from './pass-builder.ts';
import type { ProductCost } from './product-choice.ts';

/** Largest number of rows of blocks in a grid. */
const LARGEST_GRID = 65535;
/** Least number of rows, of 256 numbers each, that a block of finishProduct computes. */
const FINISHED_ROWS = 4;

/** Which part of a product cuBLASLt makes, and which part is left for finishProduct. */
interface Division {
  /** whether it writes bf16 */
  rounded: boolean;
  /** memory that it writes; null: temporary fp32 memory, which is free again after finishProduct */
  into: Slice | null;
  /** outputs of finishProduct; null: it need not be launched */
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
 * The bytes that both ways read and write, A and B included. A kernel that splits its sum writes partial matrices, which
 * another launch adds up. cuBLASLt is assumed to split the same sums, because it has as many multiprocessors to fill.
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
 * Adds a product by cuBLASLt, if the library is open, has an algorithm for it, and `target.cublas.isFaster` says so.
 *
 * @param splits the number of parts into which our kernel would split the sum
 * @returns whether the product was added; if not, a kernel must make it
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
