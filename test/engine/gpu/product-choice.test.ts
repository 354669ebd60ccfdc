/** Which products cuBLASLt makes, and what is launched for each epilogue. */
import { describe, expect, test } from 'vitest';
import type { Slice } from '../../../lib/engine/gpu/device/device.ts';
import { type Matrix, PassBuilder, type Purpose } from '../../../lib/engine/gpu/launches/pass-builder.ts';
import { cublasIsFaster } from '../../../lib/engine/gpu/launches/product-choice.ts';
import { product, weightGradient } from '../../../lib/engine/gpu/launches/products.ts';
import { summing } from '../../../lib/engine/gpu/launches/sums.ts';
import type { Target } from '../../../lib/engine/gpu/launches/target.ts';

type Work = (b: PassBuilder, matrix: (rows: number, columns: number, purpose?: Purpose) => Matrix) => void;
const bias: Slice = { address: 256, size: 0 };

/** Launches of `work`: names of kernels, and for products by cuBLASLt their layout and what they do besides. */
function launchesOf(work: Work, cublas: Target['cublas'], precision: Target['precision'] = 'bf16'): string[] {
  const b = new PassBuilder({ precision, multiprocessors: 132, residentBlocks: () => 132, cublas });
  work(b, (rows, columns, purpose = 'operand') => b.matrix(rows, columns, purpose));
  return b.launches.map((launch) => {
    if (!('product' in launch)) return launch.kernel;
    const { layout, rounded, bias: hasBias, addend } = launch.product;
    const more = [rounded && 'rounded', hasBias && 'bias', addend !== 'none' && `addend ${addend}`].filter(Boolean);
    return ['cuBLASLt', layout, ...more].join(' ');
  });
}

describe('the choice', () => {
  const gpus: Record<string, [compute: number, multiprocessors: number]> = {
    'RTX 4090': [89, 128],
    A100: [80, 108],
    H100: [90, 132],
    B200: [100, 148],
  };
  const [R, all] = [16_384, Object.keys(gpus)];
  // x (R,C) · W
  const plain =
    (C: number, N: number): Work =>
    (b, m) =>
      product(b, 'NN', m(R, C), m(C, N), m(R, N, 'floats'));
  const gelu =
    (C: number): Work =>
    (b, m) =>
      product(b, 'NN', m(R, C), m(C, 4 * C), m(R, 4 * C), { bias, gelu: 'forward', pre: b.floats(R * 4 * C) });
  const gradient =
    (C: number): Work =>
    (b, m) =>
      summing(b, (sums) => weightGradient(sums, m(R, C), m(R, 4 * C), b.floats(4 * C * C), true));

  test.each<[string, Work, by: string[]]>([
    ['a small product', plain(128, 512), []],
    ['a large product', plain(4 * 1024, 1024), all],
    ['one token of 64 streams', (b, m) => product(b, 'NN', m(64, 1024), m(1024, 4096), m(64, 4096, 'floats')), []],
    // A pass over its results costs more than cuBLASLt saves, but on Blackwell, whose instructions ours lack.
    ['a large product with GELU', gelu(1024), ['B200']],
    ['a large product with few numbers to sum, whose results take longer than its sums', plain(64, 4096), []],
    ['the gradient of a small weight', gradient(128), []],
    ['the gradient of a large weight', gradient(1024), all],
  ])('%s is made by cuBLASLt on these GPUs', (_, work, by) => {
    const chosen = all.filter((name) => {
      const [compute, multiprocessors] = gpus[name];
      const isFaster: NonNullable<Target['cublas']>['isFaster'] = (flops, own, cublas) =>
        cublasIsFaster({ compute, multiprocessors }, flops, own, cublas);
      return launchesOf(work, { isFaster, workspaceOf: () => 0 }).some((launch) => launch.startsWith('cuBLASLt'));
    });
    expect(chosen).toEqual(by);
  });

  test('takes the rates of the newest GPU that is not newer, and none for those that the engine does not know', () => {
    const costs = { bytes: 0, passes: [] };
    const isFaster = (compute: number) => cublasIsFaster({ compute, multiprocessors: 132 }, 1e12, costs, costs);
    expect([103, 121, 75].map(isFaster)).toEqual([true, true, false]);
  });
});

describe('what is launched', () => {
  const always = { isFaster: () => true, workspaceOf: () => 0 };
  const multiply = (
    purpose: Purpose,
    epilogue: (b: PassBuilder, out: Matrix) => Parameters<typeof product>[5],
  ): Work => {
    return (b, m) => {
      const out = m(20, 30, purpose);
      product(b, 'NT', m(20, 40), m(30, 40), out, epilogue(b, out));
    };
  };

  test.each<[string, Work, string[]]>([
    ['fp32', multiply('floats', () => ({})), ['cuBLASLt NT']],
    ['fp32, with bias', multiply('floats', () => ({ bias })), ['cuBLASLt NT bias']],
    [
      'fp32, with bias and a residual',
      multiply('floats', (b) => ({ bias, addend: b.floats(600) })),
      ['cuBLASLt NT bias addend apart'],
    ],
    [
      'fp32, added to what was there',
      multiply('floats', (_, out) => ({ addend: out.floats })),
      ['cuBLASLt NT addend in place'],
    ],
    ['bf16', multiply('operand', () => ({})), ['cuBLASLt NT rounded']],
    ['bf16, with bias', multiply('operand', () => ({ bias })), ['cuBLASLt NT bias', 'finishProduct']],
    ['both', multiply('both', () => ({})), ['cuBLASLt NT', 'finishProduct']],
    [
      'GELU',
      multiply('operand', (b) => ({ bias, gelu: 'forward', pre: b.floats(600) })),
      ['cuBLASLt NT bias', 'finishProduct'],
    ],
    [
      'the slope of GELU',
      multiply('both', (b) => ({ gelu: 'backward', pre: b.floats(600) })),
      ['cuBLASLt NT', 'finishProduct'],
    ],
    [
      'GELU and a residual, which cuBLASLt would add before GELU',
      multiply('floats', (b) => ({ gelu: 'forward', pre: b.floats(600), addend: b.floats(600) })),
      ['productNTSmallBf16'],
    ],
  ])('%s', (_, work, launches) => {
    expect(launchesOf(work, always)).toEqual(launches);
  });

  test('results with the row stride of their type', () => {
    const b = new PassBuilder({ precision: 'bf16', multiprocessors: 132, residentBlocks: () => 132, cublas: always });
    for (const purpose of ['operand', 'floats'] as const)
      product(b, 'NT', b.matrix(20, 41, 'operand'), b.matrix(30, 41, 'operand'), b.matrix(20, 30, purpose));
    const shapes = b.launches.map((launch) => ('product' in launch ? launch.product : undefined));
    expect(shapes).toMatchObject([
      { M: 20, N: 30, K: 41, lda: 48, ldb: 48, ldc: 32, rounded: true },
      { M: 20, N: 30, K: 41, lda: 48, ldb: 48, ldc: 30, rounded: false },
    ]);
  });

  test('own kernels where cuBLASLt has no algorithm, and in other precisions than bf16', () => {
    const work = multiply('floats', () => ({}));
    expect(launchesOf(work, { ...always, workspaceOf: () => undefined })).toEqual(['productNTSmallBf16']);
    expect(launchesOf(work, always, 'fp32')).toEqual(['productNTSmall']);
    expect(launchesOf(work, always, 'tf32')).toEqual(['productNTSmallTf32']);
  });

  test('gradients of a weight in the order of what is added to them', () => {
    const launches = (isFaster: (flops: number) => boolean) =>
      launchesOf(
        (b, m) =>
          summing(b, (sums) => {
            const weight = b.floats(900);
            weightGradient(sums, m(4000, 30), m(4000, 30), weight, false);
            weightGradient(sums, m(50, 30), m(50, 30), weight, true);
          }),
        { ...always, isFaster },
      );
    expect(launches(() => true)).toEqual(['cuBLASLt TN', 'cuBLASLt TN addend in place']);
    // The kernel's partial sums are added up before cuBLASLt adds to them.
    expect(launches((flops) => flops < 1e6)).toEqual([
      ...['productTNSmallBf16', 'sumPartials', 'cuBLASLt TN addend in place'],
    ]);
  });

  test('the workspace is memory of the plan, which all products share', () => {
    const sizes = [0, 1000].map((workspace) => {
      const target = { precision: 'bf16' as const, multiprocessors: 132, residentBlocks: () => 132 };
      const b = new PassBuilder({ ...target, cublas: { ...always, workspaceOf: () => workspace } });
      for (let i = 0; i < 3; i++)
        product(b, 'NT', b.matrix(20, 40, 'operand'), b.matrix(30, 40, 'operand'), b.matrix(20, 30, 'floats'));
      return b.size;
    });
    expect(sizes[1] - sizes[0]).toBe(1024);
  });
});
