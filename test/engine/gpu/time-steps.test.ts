/** When all time steps of an LSTM are one launch on the GPU: in bf16, if all of its blocks are there at the same time. */
import { expect, test } from 'vitest';
import { PassBuilder } from '../../../lib/engine/gpu/launches/pass-builder.ts';
import type { Target } from '../../../lib/engine/gpu/launches/target.ts';
import { backwardSteps, forwardSteps } from '../../../lib/engine/gpu/networks/lstm-time-steps.ts';

/** Kernels and grids of 5 time steps of 70 sequences and 40 units, which take 3 blocks for each 32 sequences. */
function launchesOn(precision: Target['precision'], residentBlocks: number): string[] {
  const b = new PassBuilder({ precision, multiprocessors: 4, residentBlocks: () => residentBlocks });
  const [T, B, H] = [5, 70, 40];
  const recurrent = b.matrix(4 * H, H, 'both');
  const a = {
    x: b.matrix(T * B, H, 'both'),
    gates: b.matrix(T * B, 4 * H, 'both'),
    cell: b.floats(T * B * H),
    hidden: b.matrix(T * B, H, 'both'),
  };
  forwardSteps(b, [T, B], recurrent, null, a);
  backwardSteps(b, [T, B], recurrent, null, a, b.floats(T * B * H), b.floats(B * H));
  return b.launches.map((launch) => ('product' in launch ? 'cuBLASLt' : `${launch.kernel} ${launch.grid}`));
}

test('as many groups of blocks divide the sequences as the GPU has room for', () => {
  const withGroups = (groups: number) => [
    ...['fill 1,1,1', `lstmForwardAllBf16 3,${groups},1`],
    ...['fill 1,1,1', `lstmBackwardAllBf16 3,${groups},1`],
  ];
  expect(launchesOn('bf16', 1000)).toEqual(withGroups(3));
  expect(launchesOn('bf16', 8)).toEqual(withGroups(2));
  expect(launchesOn('bf16', 3)).toEqual(withGroups(1));
});

test('without room for one group, and in fp32, each time step is a launch', () => {
  const each = [...Array(5).fill('lstmForwardBf16 3,3,1'), ...Array(5).fill('lstmBackwardBf16 3,3,1')];
  expect(launchesOn('bf16', 2)).toEqual(each);
  expect(launchesOn('bf16', 0)).toEqual(each);
  expect(launchesOn('fp32', 1000)).toEqual([
    ...Array(5).fill('lstmForward 3,3,1'),
    ...Array(5).fill('lstmBackward 2,3,1'),
  ]);
});
