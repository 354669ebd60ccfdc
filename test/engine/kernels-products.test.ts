/** Matrix products of the native engine in fp32 and bf16, for every instruction set of this CPU, compared with their definition in double precision. */
import { describe, expect, test } from 'vitest';
import { difference, kernelsOf, numbers, tolerance, zeros } from './kernel-reference.ts';
import { instructionSets } from './native-build.ts';

/** Rounds to the nearest bf16 number, ties to even. */
function bf16(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  const rounded = Uint32Array.of((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
  return new Float32Array(rounded.buffer)[0];
}

const productSets = instructionSets.flatMap((set) => [
  { set, precision: 'fp32', kernels: set, rounded: (x: number) => x },
  { set, precision: 'bf16', kernels: `${set}/bf16`, rounded: bf16 },
]);

describe.each(productSets)('$set, products of $precision', ({ kernels, rounded }) => {
  const run = kernelsOf(kernels);
  const packed = (B: Float32Array, K: number, N: number, transposed = false) => {
    const panels = zeros(run('packedSize', [K, N]));
    run(transposed ? 'packTransposed' : 'pack', [K, N, transposed ? K : N], B, panels);
    return panels;
  };
  const shapes = [
    [1, 1, 1],
    [3, 5, 7],
    [13, 33, 17],
    [14, 32, 64],
    [29, 47, 300],
    [64, 96, 31],
    [100, 8, 513],
    [5, 131, 16],
    [600, 40, 20],
    // Large enough that the kernel also packs A.
    [31, 515, 265],
  ];

  /** Computes A·B + addend + bias in double precision, with A and B rounded as the kernels round them. */
  const productOf = (M: number, N: number, K: number) => {
    const [A, B] = [numbers(M * K, 1), numbers(K * N, 2)];
    const [a, b] = [A.map(rounded), B.map(rounded)];
    const [addend, bias] = [numbers(M * N, 3), numbers(N, 4)];
    const expected = Array.from({ length: M * N }, (_, e) => {
      const [i, j] = [Math.floor(e / N), e % N];
      let sum = addend[e] + bias[j];
      for (let k = 0; k < K; k++) sum += a[i * K + k] * b[k * N + j];
      return sum;
    });
    return { A, B, addend, bias, expected };
  };

  test.each(shapes)('product of %i × %i with K = %i', (M, N, K) => {
    const { A, B, addend, bias, expected } = productOf(M, N, K);
    const C = zeros(M * N);
    run('product', [M, N, K, K, K, N, N], A, packed(B, K, N), C, addend, bias);
    expect(difference(C, expected)).toBeLessThan(tolerance);

    const transpose = (x: Float32Array, rows: number, columns: number) =>
      Float32Array.from(x, (_, e) => x[(e % rows) * columns + Math.floor(e / rows)]);
    C.set(addend);
    // In place, with B given as its transpose.
    run('product', [M, N, K, K, K, N, N], A, packed(transpose(B, K, N), K, N, true), C, C, bias);
    expect(difference(C, expected)).toBeLessThan(tolerance);
  });

  test.each([
    [1, 1, 1],
    [8, 33, 300],
    [3, 96, 17],
    [15, 70, 31],
    // More rows than a kernel computes at a time, and longer rows than it packs at a time.
    [61, 40, 600],
    [25, 9, 1400],
  ])('product of %i rows of streams × %i with K = %i, panel by panel', (M, N, K) => {
    const { A, B, addend, bias, expected } = productOf(M, N, K);
    const [panels, panel, C] = [packed(B, K, N), run('panel', []), zeros(M * N)];
    const count = Math.ceil(N / panel);
    // Two threads would compute two parts. Here the second part is computed first.
    for (const [first, end] of [
      [count >> 1, count],
      [0, count >> 1],
    ])
      run('streamProduct', [M, N, K, K, first, end, N, N], A, panels, C, addend, bias);
    expect(difference(C, expected)).toBeLessThan(tolerance * 4);
  });

  test.each(shapes)('gradient product into %i × %i over %i rows', (M, N, K) => {
    const [A, B, C] = [numbers(K * M, 1), numbers(K * N, 2), numbers(M * N, 3)];
    const [a, b] = [A.map(rounded), B.map(rounded)];
    const expected = Array.from(C, (start, e) => {
      let sum = start;
      for (let k = 0; k < K; k++) sum += a[k * M + Math.floor(e / N)] * b[k * N + (e % N)];
      return sum;
    });
    const scratch = zeros(run('gradientScratch', []));
    const alone = new Float32Array(M * N).fill(Number.NaN);
    run('accumulateGradient', [M, N, K, M, N, N, 1], A, B, alone, scratch);
    expect(
      difference(
        alone,
        expected.map((sum, e) => sum - C[e]),
      ),
    ).toBeLessThan(tolerance);
    run('accumulateGradient', [M, N, K, M, N, N, 0], A, B, C, scratch);
    expect(difference(C, expected)).toBeLessThan(tolerance);
  });

  test('products of NaN and infinity stay NaN and infinity', () => {
    const C = zeros(3);
    run(
      'product',
      [3, 1, 1, 1, 1, 1, 1],
      Float32Array.of(Number.NaN, Infinity, 1),
      packed(Float32Array.of(2), 1, 1),
      C,
    );
    expect(Array.from(C)).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 2]);
  });
});
