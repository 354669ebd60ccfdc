/**
 * Launches of an LSTM's time steps (native/cuda/kernels/lstm.cuh). In bf16, one launch computes all time steps, if a GPU has
 * room for all of its blocks at the same time, each with its part of the recurrent weights in shared memory. Otherwise each
 * time step is a launch. The bits are the same.
 *
 * Shapes: see lstm.ts.
 */
import type { Argument, Slice } from '../device/device.ts';
import { afterFloats, type Matrix, type PassBuilder, rowsOf } from '../launches/pass-builder.ts';
import { clear } from './layers.ts';

/** Sequences and units that a block computes: kSequences and kUnits of lstm.cuh. */
const SEQUENCES = 32;
const UNITS = 16;
/** Units of a block in fp32, backward. */
const UNITS_BACKWARD = 32;

/** Numbers that the forward pass of a layer stores for its backward pass. */
export interface Activations {
  x: Matrix; // (R,I)
  gates: Matrix; // (R,4H): after their nonlinearities; the backward pass turns them into their gradients
  cell: Slice; // (R,H)
  hidden: Matrix; // (R,H)
}

/** State of a layer before a pass, (B,H) each. */
export interface InitialState {
  hidden: Matrix;
  cell: Slice;
}

/** An operand of an LSTM kernel and its row stride. */
const operand = (b: PassBuilder, m: Matrix | null): [Slice | null, number] => {
  if (!m) return [null, 0];
  return b.bf16 ? [m.half, m.stride] : [m.floats, m.columns];
};

/** Bytes of shared memory: two tiles of `rows` rows of 32 numbers in fp32, padded. */
const tileBytes = (rows: number) => 2 * rows * (32 + 4) * 4;
/** Bytes of the three stages of lstm-bf16.cuh: chunks of 32 rows of 128 numbers, padded, plus the rest of a stage. */
const stageBytes = (others: number) => 3 * 2 * (SEQUENCES * (128 + 8) + others);
const FORWARD_BYTES = stageBytes(4 * UNITS * (128 + 8));
const BACKWARD_BYTES = stageBytes(128 * UNITS);
const toSixteen = (n: number) => Math.ceil(n / 16) * 16;
/** Bytes of shared memory if the weights of the block stay in it. */
const forwardAllBytes = (H: number) => stageBytes(0) + 2 * 4 * UNITS * (toSixteen(H) + 8);
const backwardAllBytes = (H: number) => stageBytes(0) + 2 * toSixteen(4 * H) * UNITS;

/** One time step: gates (B,4H) → cell and hidden (B,H). `before` is null for zeros. */
export function forwardStep(
  b: PassBuilder,
  recurrent: Matrix,
  before: InitialState | null,
  gates: Slice,
  cell: Slice,
  hidden: Matrix,
): void {
  const [B, H] = [hidden.rows, hidden.columns];
  b.launch(
    `lstmForward${b.bf16 ? 'Bf16' : ''}`,
    [Math.ceil(H / UNITS), Math.ceil(B / SEQUENCES), 1],
    128,
    [
      ...[B, H, ...operand(b, before?.hidden ?? null), ...operand(b, recurrent)],
      ...[gates, before?.cell ?? null, cell, hidden.floats, hidden.half, hidden.stride],
    ],
    b.bf16 ? FORWARD_BYTES : tileBytes(SEQUENCES + 4 * UNITS),
  );
}

/** All time steps of a layer: its gates, before their nonlinearities, become gates, cells and hidden states. */
export function forwardSteps(
  b: PassBuilder,
  [T, B]: [number, number],
  recurrent: Matrix,
  start: InitialState | null,
  { gates, cell, hidden }: Activations,
): void {
  const H = hidden.columns;
  const list = [T, B, H, ...operand(b, start?.hidden ?? null), ...operand(b, recurrent)];
  const arrays = [gates.floats, start?.cell ?? null, cell, hidden.floats, hidden.half, hidden.stride];
  if (launchAll(b, 'lstmForwardAllBf16', [T, B, H], forwardAllBytes(H), [...list, ...arrays])) return;
  const at = (t: number): InitialState => ({ hidden: rowsOf(hidden, t * B, B), cell: afterFloats(cell, t * B * H) });
  for (let t = 0; t < T; t++) {
    const now = at(t);
    const gatesNow = afterFloats(gates.floats as Slice, t * B * 4 * H);
    forwardStep(b, recurrent, t > 0 ? at(t - 1) : start, gatesNow, now.cell, now.hidden);
  }
}

/** dhidden (R,H): the gradient of a layer's output. The gates become their gradients. dcell (B,H): zeros */
export function backwardSteps(
  b: PassBuilder,
  [T, B]: [number, number],
  recurrent: Matrix,
  start: InitialState | null,
  { gates, cell, hidden }: Activations,
  dhidden: Slice,
  dcell: Slice,
): void {
  const H = hidden.columns;
  const list = [T, B, H, dhidden, ...operand(b, recurrent), gates.floats, cell];
  const arrays = [start?.cell ?? null, dcell, gates.half, gates.stride];
  if (launchAll(b, 'lstmBackwardAllBf16', [T, B, H], backwardAllBytes(H), [...list, ...arrays])) return;
  for (let t = T - 1; t >= 0; t--) {
    const next = t + 1 < T ? rowsOf(gates, (t + 1) * B, B) : null;
    const now = rowsOf(gates, t * B, B);
    const before = t > 0 ? afterFloats(cell, (t - 1) * B * H) : (start?.cell ?? null);
    b.launch(
      `lstmBackward${b.bf16 ? 'Bf16' : ''}`,
      [Math.ceil(H / (b.bf16 ? UNITS : UNITS_BACKWARD)), Math.ceil(B / SEQUENCES), 1],
      128,
      [
        ...[B, H, afterFloats(dhidden, t * B * H), ...operand(b, next), ...operand(b, recurrent)],
        ...[now.floats, afterFloats(cell, t * B * H), before, dcell, now.half, now.stride],
      ],
      b.bf16 ? BACKWARD_BYTES : tileBytes(SEQUENCES + UNITS_BACKWARD),
    );
  }
}

/**
 * Launches a kernel that computes all time steps. Its blocks wait for each other, so all must be on the GPU at the same
 * time: the sequences are divided among as many groups of blocks as fit.
 *
 * @returns whether the GPU has room for them
 */
function launchAll(
  b: PassBuilder,
  kernel: string,
  [T, B, H]: [number, number, number],
  shared: number,
  list: Argument[],
): boolean {
  if (!b.bf16 || T === 1) return false;
  const [blocks, tiles] = [Math.ceil(H / UNITS), Math.ceil(B / SEQUENCES)];
  const groups = Math.min(tiles, Math.floor(b.target.residentBlocks(kernel, 128, shared) / blocks));
  if (groups === 0) return false;
  b.within(() => {
    const flags = b.floats(blocks * tiles);
    clear(b, flags, blocks * tiles);
    b.launch(kernel, [blocks, groups, 1], 128, [...list, flags], shared);
  });
  return true;
}
