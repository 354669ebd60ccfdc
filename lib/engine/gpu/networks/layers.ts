/** Launches that both architectures use: embeddings, dropout, the head with its loss. */
import type { Slice } from '../device/device.ts';
import { after, afterFloats, type Matrix, type PassBuilder, paddedColumns, rowsOf } from '../launches/pass-builder.ts';
import { columnSums, product, weightGradient } from '../launches/products.ts';
import { summing } from '../launches/sums.ts';
import { headRows, type MicrobatchInput, type ModelMemory, type Pass } from './network.ts';

/** One use of dropout. It determines the masks (native/cuda/kernels/elements.cuh). */
export interface DropoutSite {
  /** arrays of `n` numbers, each with a mask of its own */
  units: number;
  n: number;
  sequences: number;
  firstSequence: number;
  settings: Slice;
  threshold: number;
  site: number;
}

/** out = dropout(x) + addend. x and out may be the same; out may have both precisions. */
export function dropout(b: PassBuilder, site: DropoutSite, x: Slice, out: Matrix, addend: Slice | null = null): void {
  const { units, n, sequences, firstSequence, settings, threshold } = site;
  b.forElements('dropout', units * Math.ceil(n / 128) * 16, [
    ...[units, n, sequences, firstSequence, x, addend, out.floats, out.columns, out.half, out.stride],
    ...[settings, threshold, site.site],
  ]);
}

/** x (R,C) = embedding[token] + positions[row % length]. If `position` is set, all rows are at the position that it holds. */
export function embed(
  b: PassBuilder,
  tokens: Slice,
  embedding: Slice,
  x: Matrix,
  positions: { table: Slice; length: number; position?: Slice } | null,
): void {
  b.forElements('embed', x.rows * x.columns, [
    ...[x.rows, positions?.length ?? 1, x.columns, tokens, embedding],
    ...[positions?.table ?? null, positions?.position ?? null, x.floats, x.half, x.stride],
  ]);
}

/** gradient (V,C) += the rows of dx (R,C), each at its token. */
export function embedBackward(
  b: PassBuilder,
  { order, segments, firstSegment, segmentCount }: MicrobatchInput,
  dx: Slice,
  [V, C]: [number, number],
  gradient: Slice,
): void {
  const threads = Math.min(256, Math.max(32, Math.ceil(C / 32) * 32));
  const partials = b.scratch(segmentCount * C);
  b.launch('embedSegments', [segmentCount, 1, 1], threads, [C, dx, order, segments, partials]);
  b.launch('embedTokens', [V, 1, 1], threads, [C, firstSegment, partials, gradient]);
}

/** The last layer of a network: x (R,C) · weight (V,C)ᵀ + bias. */
export interface Head {
  weight: Matrix;
  bias: Slice | null;
  gradient: Slice;
  biasGradient: Slice | null;
}

/**
 * Computes the logits and losses of x. If gradients are wanted, also computes the gradients of the head and of x; `dx`
 * receives the latter. Works on headRows() rows at a time, because logits are large.
 */
export function head(
  b: PassBuilder,
  { weight, bias, gradient, biasGradient }: Head,
  x: Matrix,
  p: Pass,
  dx: Slice | null,
): void {
  const [R, V, C] = [x.rows, weight.rows, x.columns];
  b.within(() => {
    const count = headRows(R, V);
    const buffer = b.matrix(count, V, p.backward ? 'both' : 'floats');
    const scale = p.backward ? 1 / (p.batch * p.length) : 0;
    for (let first = 0; first < R; first += count) {
      const rows = Math.min(count, R - first);
      const part = rowsOf(x, first, rows);
      const logits = rowsOf(buffer, 0, rows);
      if (p.logits) {
        const out = { ...logits, floats: afterFloats(p.logits, first * V), half: null };
        product(b, 'NT', part, weight, out, { bias });
        continue;
      }
      product(b, 'NT', part, weight, { ...logits, half: null }, { bias });
      b.launch(
        'crossEntropy',
        [rows, 1, 1],
        256,
        [
          ...[V, logits.floats, after(p.input.targets, 4 * first), { float: scale }],
          ...[afterFloats(p.losses, first), logits.half, logits.stride],
        ],
        64,
      );
      if (!p.backward) continue;
      // crossEntropy has replaced the logits by their gradient.
      const accumulate = !p.isFirst || first > 0;
      product(b, 'NN', logits, weight, { ...part, floats: afterFloats(dx as Slice, first * C), half: null });
      summing(b, (sums) => {
        weightGradient(sums, logits, part, gradient, accumulate);
        if (biasGradient) columnSums(sums, logits.floats as Slice, rows, V, [biasGradient], accumulate);
      });
    }
  });
}

/** Sets n floats of a slice to 0. */
export function clear(b: PassBuilder, slice: Slice, n: number): void {
  b.forElements('fill', n, [n, { float: 0 }, slice]);
}

/** Copies n floats from one slice to another. */
export function copy(b: PassBuilder, from: Slice, to: Slice, n: number): void {
  b.forElements('copy', n, [n, from, to]);
}

/** fp32 numbers (rows,columns) as an operand of products; in bf16 they are rounded first. */
export function asOperand(b: PassBuilder, floats: Slice, rows: number, columns: number): Matrix {
  const stride = paddedColumns(columns);
  if (!b.bf16) return { rows, columns, floats, half: null, stride };
  const half = b.allocate(2 * rows * stride);
  b.forElements('roundRows', rows * columns, [rows, columns, floats, columns, half, stride]);
  return { rows, columns, floats, half, stride };
}

/** The gradient of a parameter. */
export const gradientOf = ({ layout, gradients }: ModelMemory, name: string) => layout.of(name, gradients);
