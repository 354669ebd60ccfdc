/**
 * Launches of causal attention. In bf16, heads whose width is a multiple of 8 are computed on tensor cores; all others in
 * fp32 (native/cuda/kernels/attention-bf16.cuh and attention.cuh).
 */
import type { Argument, Slice } from '../device/device.ts';
import type { Matrix, PassBuilder } from '../launches/pass-builder.ts';

/** Columns of a part of a wide head: kPart of attention.cuh. */
const PART = 128;

/** The sizes and the dropout of an attention layer, for all kernels. */
export interface AttentionShape {
  sequences: number;
  /** T */
  length: number;
  /** C */
  width: number;
  heads: number;
  /** the dropout mask: see native/cuda/kernels/math.cuh; threshold 0 for none */
  mask: { settings: Slice; threshold: number; site: number; firstSequence: number };
}

/** Whether heads of D numbers are computed on tensor cores, from bf16. */
export const usesTensorCores = (bf16: boolean, D: number) => bf16 && D % 8 === 0;

/** Bytes of a tile of 32 rows in fp32, and of scores: tileStride and kScoreStride of attention.cuh. */
const tileBytes = (D: number) => 32 * (Math.ceil(Math.min(D, PART) / 4) | 1) * 4 * 4;
const SCORE_BYTES = 32 * 36 * 4;
/** Bytes of a row in bf16: halfStride of attention-bf16.cuh. */
const halfRowBytes = (D: number) => (Math.ceil(Math.min(D, PART) / 16) * 16 + 8) * 2;

/** An input of the kernels: fp32, or bf16 with its row stride. */
const input = (onTensorCores: boolean, { floats, half, stride }: Matrix): Argument[] =>
  onTensorCores ? [half, stride] : [floats];

function launch(
  b: PassBuilder,
  kernel: string,
  { sequences, length: T, width: C, heads, mask }: AttentionShape,
  list: Argument[],
  shared: { fp32: number; bf16: number },
): void {
  const D = C / heads;
  const onTensorCores = usesTensorCores(b.bf16, D);
  b.launch(
    `${kernel}${onTensorCores ? 'Bf16' : ''}`,
    [Math.ceil(T / (onTensorCores ? 64 : 32)) * Math.ceil(D / PART), heads, sequences],
    128,
    [
      ...[T, C, D, { float: 1 / Math.sqrt(D) }, ...list],
      ...[mask.settings, mask.threshold, mask.site, mask.firstSequence],
    ],
    onTensorCores ? shared.bf16 : shared.fp32,
  );
}

/** qkv (R,3C) → out (R,C), logSums (B,heads,T) */
export function attention(b: PassBuilder, shape: AttentionShape, qkv: Matrix, out: Matrix, logSums: Slice): void {
  const D = shape.width / shape.heads;
  const list = [...input(usesTensorCores(b.bf16, D), qkv), out.floats, out.half, out.stride, logSums];
  launch(b, 'attention', shape, list, {
    fp32: 3 * tileBytes(D) + SCORE_BYTES,
    bf16: 3 * 64 * halfRowBytes(D),
  });
}

/** qkv, out and logSums of the forward pass, dout (R,C) → dqkv (R,3C). Both precisions of dqkv are written. */
export function attentionBackward(
  b: PassBuilder,
  shape: AttentionShape,
  qkv: Matrix,
  out: Matrix,
  logSums: Slice,
  dout: Matrix,
  dqkv: Matrix,
): void {
  const { sequences, length, width, heads } = shape;
  const D = width / heads;
  const onTensorCores = usesTensorCores(b.bf16, D);
  b.within(() => {
    const count = sequences * length * heads;
    const delta = b.floats(count);
    b.launch('attentionDelta', [Math.ceil(count / 8), 1, 1], 256, [
      ...[sequences, length, width, heads, out.floats, dout.floats, delta],
    ]);
    const inputs = [...input(onTensorCores, qkv), ...input(onTensorCores, dout)];
    const list = [...inputs, logSums, delta, dqkv.floats, dqkv.half, dqkv.stride];
    launch(b, 'attentionBackwardKeys', shape, list, {
      fp32: 4 * tileBytes(D) + 2 * SCORE_BYTES,
      bf16: 2 * (64 + 32) * halfRowBytes(D) + 2 * 32 * 4,
    });
    launch(b, 'attentionBackwardQueries', shape, list, {
      fp32: 4 * tileBytes(D) + SCORE_BYTES,
      bf16: 2 * (64 + 32) * halfRowBytes(D),
    });
  });
}
