/**
 * Every kernel of the native engine, for every instruction set of this CPU, compared with its formula in double
 * precision.
 */
import { describe, expect, test } from 'vitest';
import { EngineError, openEngine } from '../../lib/engine/index.ts';
import { loadAddon } from '../../lib/engine/native/native-addon.ts';
import { instructionSets, isBuilt } from './native-build.ts';

test.skipIf(isBuilt)('without a built addon, the native engine refuses to open', async () => {
  await expect(openEngine({ name: 'native' })).rejects.toThrow(EngineError);
});
const addon = isBuilt ? loadAddon() : undefined!;

/** Returns numbers in −1 … 1 that depend only on the salt. */
function numbers(count: number, salt: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453;
    return scale * 2 * (x - Math.floor(x) - 0.5);
  });
}
const zeros = (count: number) => new Float32Array(count);

/** Returns the largest difference, relative to the largest number. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let largest = 1e-30;
  let maximum = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    maximum = Math.max(
      maximum,
      Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Number.POSITIVE_INFINITY,
    );
  }
  return maximum / largest;
}
const tolerance = 2e-6;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

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
  const run = (name: string, values: number[], ...arrays: (Float32Array | Uint32Array | null)[]) =>
    addon.kernel(kernels, name, values, arrays);
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

describe.each(instructionSets)('%s', (set) => {
  const run = (name: string, values: number[], ...arrays: (Float32Array | Uint32Array | null)[]) =>
    addon.kernel(set, name, values, arrays);

  test.each([1, 7, 16, 24, 33, 48, 64, 130])('attention of one query to cached keys and values of width %i', (D) => {
    const T = 150;
    const [queries, keys, values] = [numbers(T * D, 1), numbers(T * D, 2), numbers(T * D, 3)];
    const tokens = run('paddedTokens', [T]);
    const cache = { keys: zeros(D * tokens), values: zeros(T * run('valueRowSize', [D])) };
    const scale = 1 / Math.sqrt(D);
    const row = (of: Float32Array, t: number) => of.subarray(t * D, (t + 1) * D);
    for (let t = 0; t < T; t++) {
      run('appendToCache', [t, D], row(keys, t), row(values, t), cache.keys, cache.values);
      const out = zeros(D);
      run('attentionDecode', [t + 1, D, scale], row(queries, t), cache.keys, cache.values, zeros(tokens), out);
      const weights = Array.from({ length: t + 1 }, (_, s) =>
        Math.exp(scale * row(queries, t).reduce((sum, x, d) => sum + x * keys[s * D + d], 0)),
      );
      const total = weights.reduce((a, b) => a + b);
      const expected = Array.from(out, (_, d) => weights.reduce((sum, p, s) => sum + p * values[s * D + d], 0) / total);
      // 1 is added because the mean of values that cancel is small.
      expect(difference([...out, 1], [...expected, 1])).toBeLessThan(tolerance);
    }
  });

  test.each([1, 7, 16, 48, 129])('LayerNorm and its gradient over rows of %i', (C) => {
    const rows = 35;
    const x = numbers(rows * C, 1, 3).map((value, i) => value + (i % C === 0 ? 2 : 0));
    const [gain, bias, dout, before] = [numbers(C, 2), numbers(C, 3), numbers(rows * C, 4), numbers(rows * C, 5)];
    const [out, mean, rstd] = [zeros(rows * C), zeros(rows), zeros(rows)];
    run('layerNorm', [rows, C], x, gain, bias, out, mean, rstd);
    const [dx, dparameters, again, statistics] = [before.slice(), zeros(2 * C), zeros(rows * C), [...mean, ...rstd]];
    run('layerNormBackward', [rows, C, 1], x, gain, bias, Float32Array.from(statistics), dout, dparameters, dx, again);
    const [dgain, dbias] = [dparameters.subarray(0, C), dparameters.subarray(C)];

    const expected = { out: [] as number[], dx: [] as number[], dgain: Array(C).fill(0), dbias: Array(C).fill(0) };
    for (let r = 0; r < rows; r++) {
      const row = Array.from(x.subarray(r * C, (r + 1) * C));
      const mu = row.reduce((a, b) => a + b) / C;
      const rho = 1 / Math.sqrt(row.reduce((a, b) => a + (b - mu) ** 2, 0) / C + 1e-5);
      const y = row.map((value) => (value - mu) * rho);
      const g = y.map((_, c) => dout[r * C + c] * gain[c]);
      const [meanG, meanGy] = [g.reduce((a, b) => a + b) / C, g.reduce((a, b, c) => a + b * y[c], 0) / C];
      for (let c = 0; c < C; c++) {
        expected.out.push(y[c] * gain[c] + bias[c]);
        expected.dx.push(before[r * C + c] + rho * (g[c] - meanG - y[c] * meanGy));
        expected.dgain[c] += dout[r * C + c] * y[c];
        expected.dbias[c] += dout[r * C + c];
      }
    }
    expect(difference(out, expected.out)).toBeLessThan(tolerance);
    expect(difference(again, expected.out)).toBeLessThan(tolerance);
    expect(difference(dx, expected.dx)).toBeLessThan(1e-5);
    expect(difference(dgain, expected.dgain)).toBeLessThan(1e-5);
    expect(difference(dbias, expected.dbias)).toBeLessThan(tolerance);
    // LayerNorm without bias.
    run('layerNorm', [rows, C], x, gain, null, out, null, null);
    expect(
      difference(
        out,
        expected.out.map((value, i) => value - bias[i % C]),
      ),
    ).toBeLessThan(1e-5);
  });

  test.each([
    [1, 1, 0],
    [5, 3, 0],
    [16, 8, 0],
    [64, 16, 0.3],
    [65, 7, 0],
    [130, 24, 0.3],
    [200, 33, 0],
  ])('causal attention of %i tokens of width %i and its gradient, with dropout %f', (T, D, dropping) => {
    // The second of two heads.
    const [C, head, scale, threshold] = [2 * D, 1, 0.7 / Math.sqrt(D), Math.round(dropping * 65536)];
    const settings = [T, D, 3 * C, scale, threshold, head, 5, 6, 7, 8];
    const [qkv, dout] = [numbers(T * 3 * C, 1, 3), numbers(T * C, 2)];
    const [out, statistics, dqkv] = [zeros(T * C), zeros(2 * T), zeros(T * 3 * C)];
    const scratch = zeros(run('attentionScratch', [D, T])).fill(Number.NaN);
    const ofHead = (x: Float32Array) => x.subarray(head * D);
    run('attention', settings, ofHead(qkv), ofHead(out), statistics, scratch);
    run('attentionBackward', settings, ofHead(qkv), ofHead(out), ofHead(dout), statistics, ofHead(dqkv), scratch);

    // Dropout masks are made for tiles of 64 keys by 64 queries, [key][query], with a row of the mask for each tile.
    const blocks = Math.ceil(T / 64);
    const masks = Array.from({ length: blocks ** 2 }, (_, block) => {
      const mask = zeros(64 * 64);
      const row = head * blocks ** 2 + block;
      run('dropoutRows', [1, 64 * 64, 0, row, threshold, 5, 6, 7, 8], new Float32Array(64 * 64).fill(1), mask);
      return mask;
    });
    const keeps = (q: number, k: number) => masks[(q >> 6) * blocks + (k >> 6)][(k & 63) * 64 + (q & 63)];
    const at = (x: ArrayLike<number>, t: number, third: number, d: number) => x[t * 3 * C + third * C + head * D + d];
    const expected = { out: Array<number>(T * C).fill(0), dqkv: Array<number>(T * 3 * C).fill(0) };
    const sum = (of: (d: number) => number) => Array.from({ length: D }, (_, d) => of(d)).reduce((a, b) => a + b);
    for (let q = 0; q < T; q++) {
      const before = Array.from({ length: q + 1 }, (_, k) => k);
      const weights = before.map((k) => Math.exp(scale * sum((d) => at(qkv, q, 0, d) * at(qkv, k, 1, d))));
      const total = weights.reduce((a, b) => a + b);
      const p = weights.map((weight) => weight / total);
      const dp = before.map((k) => keeps(q, k) * sum((d) => dout[q * C + head * D + d] * at(qkv, k, 2, d)));
      const mean = before.reduce((a, k) => a + p[k] * dp[k], 0);
      for (const k of before)
        for (let d = 0; d < D; d++) {
          const ds = p[k] * (dp[k] - mean) * scale;
          expected.out[q * C + head * D + d] += p[k] * keeps(q, k) * at(qkv, k, 2, d);
          expected.dqkv[q * 3 * C + head * D + d] += ds * at(qkv, k, 1, d);
          expected.dqkv[k * 3 * C + C + head * D + d] += ds * at(qkv, q, 0, d);
          expected.dqkv[k * 3 * C + 2 * C + head * D + d] += p[k] * keeps(q, k) * dout[q * C + head * D + d];
        }
    }
    // The other head is not changed: zeros on both sides.
    expect(difference(out, expected.out)).toBeLessThan(tolerance);
    expect(difference(dqkv, expected.dqkv)).toBeLessThan(1e-5);
  });

  test.each([2, 6, 16, 30, 64, 90])('rotary positions of heads of width %i, and back', (D) => {
    const [rows, heads, stride] = [5, 3, 3 * D + 4];
    const angles = numbers((rows * D) / 2, 1, 3);
    const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)];
    const x = numbers(rows * stride, 2);
    const rotated = x.slice();
    run('rotate', [rows, heads, D, 1, stride], cosines, sines, rotated);
    const expected = Array.from(x, (value, at) => {
      const [row, column] = [Math.floor(at / stride), at % stride];
      if (column >= heads * D) return value;
      const [pair, isFirst] = [column % (D / 2), column % D < D / 2];
      const [cosine, sine] = [cosines, sines].map((table) => table[(row * D) / 2 + pair]);
      return isFirst ? value * cosine - x[at + D / 2] * sine : value * cosine + x[at - D / 2] * sine;
    });
    expect(difference(rotated, expected)).toBeLessThan(tolerance);
    run('rotate', [rows, heads, D, -1, stride], cosines, sines, rotated);
    expect(difference(rotated, x)).toBeLessThan(tolerance);
  });

  test.each([2, 37, 256])('cross-entropy and its gradient over a vocabulary of %i', (V) => {
    const rows = 21;
    const logits = numbers(rows * V, 1, 10);
    const targets = Uint32Array.from({ length: rows }, (_, r) => (r * 7) % V);
    const gradient = logits.slice();
    const loss = run('crossEntropy', [rows, V, 0.25], gradient, targets);
    let expectedLoss = 0;
    const expected = Array.from(logits, (_, e) => {
      const r = Math.floor(e / V);
      const row = Array.from(logits.subarray(r * V, (r + 1) * V));
      const sum = row.reduce((a, b) => a + Math.exp(b), 0);
      if (e % V === 0) expectedLoss += Math.log(sum) - row[targets[r]];
      return 0.25 * (Math.exp(logits[e]) / sum - (e % V === targets[r] ? 1 : 0));
    });
    expect(loss).toBeCloseTo(expectedLoss, 4);
    expect(difference(gradient, expected)).toBeLessThan(tolerance);
    expect(run('crossEntropy', [rows, V, 0], logits.slice(), targets)).toBe(loss);
  });

  test('the loss of a diverged model is NaN', () => {
    const logits = numbers(37, 1);
    logits[20] = Number.NaN;
    expect(run('crossEntropy', [1, 37, 0], logits.slice(), Uint32Array.of(3))).toBeNaN();
    logits[20] = Number.POSITIVE_INFINITY;
    expect(run('crossEntropy', [1, 37, 0], logits.slice(), Uint32Array.of(3))).toBeNaN();
  });

  test('exp, sigmoid and tanh have a relative error below 3e-7', () => {
    const x = Float32Array.from({ length: 20_001 }, (_, i) => (i - 10_000) / 120);
    const small = Float32Array.from({ length: 1001 }, (_, i) => (i - 500) / 400);
    const worst = (name: string, f: (x: number) => number, at: Float32Array) => {
      const out = zeros(at.length);
      run(name, [at.length], at, out);
      return Math.max(...Array.from(at, (value, i) => (out[i] === f(value) ? 0 : Math.abs(out[i] / f(value) - 1))));
    };
    expect(worst('exp', Math.exp, x)).toBeLessThan(3e-7);
    expect(worst('sigmoid', sigmoid, x)).toBeLessThan(3e-7);
    expect(worst('tanh', Math.tanh, x)).toBeLessThan(3e-7);
    expect(worst('tanh', Math.tanh, small)).toBeLessThan(3e-7);
  });

  test('exp stays finite and positive beyond its range, and exp of NaN is NaN', () => {
    const out = zeros(4);
    run('exp', [4], Float32Array.of(1000, -1000, Number.NaN, 0), out);
    expect(out[0]).toBeGreaterThan(2e38);
    expect(out[0]).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(out[1]).toBeGreaterThan(0);
    expect(out[1]).toBeLessThan(1.3e-38);
    expect(out[2]).toBeNaN();
    expect(out[3]).toBe(1);
  });

  test.each([1, 19, 64])('GELU and its gradient over %i numbers', (n) => {
    const [x, dout] = [numbers(n, 1, 6), numbers(n, 2)];
    const [out, again, dx] = [zeros(n), zeros(n), dout.slice()];
    run('gelu', [n], x, out);
    run('geluBackward', [n], x, again, dx);
    const slope = (at: number) => (gelu(at + 1e-5) - gelu(at - 1e-5)) / 2e-5;
    expect(difference(out, Array.from(x, gelu))).toBeLessThan(tolerance);
    expect(again).toEqual(out);
    expect(
      difference(
        dx,
        Array.from(x, (at, i) => slope(at) * dout[i]),
      ),
    ).toBeLessThan(tolerance);
  });

  test.each([1, 5, 37])('the LSTM cell and its gradient, %i units', (H) => {
    const B = 3;
    const [before, previous] = [numbers(B * 4 * H, 1, 3), numbers(B * H, 2)];
    const [dhidden, dnext] = [numbers(B * H, 3), numbers(B * H, 4)];
    const [gates, cell, tanhCell, hidden] = [before.slice(), zeros(B * H), zeros(B * H), zeros(B * H)];
    run('lstmCell', [B, H], gates, previous, cell, tanhCell, hidden);
    const [dgates, dcell] = [gates.slice(), dnext.slice()];
    run('lstmCellBackward', [B, H], dgates, previous, tanhCell, dhidden, dcell);

    const expected = { cell: [] as number[], hidden: [] as number[], dgates: Array(B * 4 * H), dcell: [] as number[] };
    for (let e = 0; e < B * H; e++) {
      const gate = (k: number) => Math.floor(e / H) * 4 * H + k * H + (e % H);
      const [i, f, o] = [0, 1, 3].map((k) => sigmoid(before[gate(k)]));
      const g = Math.tanh(before[gate(2)]);
      const c = f * previous[e] + i * g;
      const dc = dnext[e] + dhidden[e] * o * (1 - Math.tanh(c) ** 2);
      expected.cell.push(c);
      expected.hidden.push(o * Math.tanh(c));
      expected.dcell.push(dc * f);
      expected.dgates[gate(0)] = dc * g * i * (1 - i);
      expected.dgates[gate(1)] = dc * previous[e] * f * (1 - f);
      expected.dgates[gate(2)] = dc * i * (1 - g * g);
      expected.dgates[gate(3)] = dhidden[e] * Math.tanh(c) * o * (1 - o);
    }
    expect(difference(cell, expected.cell)).toBeLessThan(tolerance);
    expect(difference(hidden, expected.hidden)).toBeLessThan(tolerance);
    expect(difference(dgates, expected.dgates)).toBeLessThan(tolerance);
    expect(difference(dcell, expected.dcell)).toBeLessThan(tolerance);
    // The first step of a window has no cell before it.
    const first = { gates: before.slice(), cell: zeros(B * H) };
    run('lstmCell', [B, H], first.gates, null, first.cell, zeros(B * H), zeros(B * H));
    const zeroCell = { gates: before.slice(), cell: zeros(B * H) };
    run('lstmCell', [B, H], zeroCell.gates, zeros(B * H), zeroCell.cell, zeros(B * H), zeros(B * H));
    expect(first).toEqual(zeroCell);
  });

  test('AdamW makes the updates of PyTorch', () => {
    const n = 45;
    const [w, g, m, v] = [numbers(n, 1), numbers(n, 2), numbers(n, 3, 0.1), numbers(n, 4, 0.1).map(Math.abs)];
    const [rate, b1, b2, epsilon, decay, step, factor] = [1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.5];
    const corrections = [1 - b1 ** step, 1 - b2 ** step];
    const expected = Array.from(w, (value, i) => {
      const gradient = g[i] * factor;
      const first = b1 * m[i] + (1 - b1) * gradient;
      const second = b2 * v[i] + (1 - b2) * gradient ** 2;
      return (
        value * (1 - rate * decay) - (rate * (first / corrections[0])) / (Math.sqrt(second / corrections[1]) + epsilon)
      );
    });
    run('adamw', [n, rate, b1, b2, epsilon, decay, ...corrections, factor], w, g, m, v);
    expect(difference(w, expected)).toBeLessThan(tolerance);
  });

  test('sums are those of double precision', () => {
    const x = numbers(5000, 1);
    expect(run('sumOfSquares', [5000], x) / x.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 6);
    const sums = numbers(37, 2);
    const expected = Array.from(sums, (start, j) => {
      for (let r = 0; r < 9; r++) start += x[r * 40 + j];
      return start;
    });
    run('addColumnSums', [9, 37, 40], x, sums);
    expect(difference(sums, expected)).toBeLessThan(tolerance);
    const total = x.slice(0, 37);
    run('add', [37], numbers(37, 3), total);
    expect(total).toEqual(numbers(37, 3).map((value, i) => value + x[i]));
  });

  describe('dropout', () => {
    const threshold = Math.round(0.3 * 65536);
    const mask = (n: number, seed: number, step: number, sequence: number, site: number) => {
      const out = zeros(n);
      run('dropout', [n, threshold, seed, step, sequence, site], new Float32Array(n).fill(1), out);
      return out;
    };

    test('draws its masks from Philox4x32-10', () => {
      // The known answer of Random123 for a counter and key of zeros.
      expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
      const n = 300;
      const kept = 65536 / (65536 - threshold);
      const expected = Float32Array.from({ length: n }, (_, e) => {
        const chunk = Math.floor(e / 128);
        const word = philox([chunk * 16 + (e % 16), 0, 7, 9], [5, 6])[Math.floor((e % 128) / 32)];
        const number = Math.floor((e % 32) / 16) === 0 ? word & 0xffff : word >>> 16;
        return number >= threshold ? kept : 0;
      });
      expect(mask(n, 5, 6, 7, 9)).toEqual(expected);
    });

    test('each row has its own mask, which does not depend on the position of the row', () => {
      const [rows, keys, stride] = [6, 20, 23];
      const all = zeros(rows * stride);
      const ones = new Float32Array(rows * stride).fill(1);
      run('dropoutRows', [rows, keys, stride, 4, threshold, 1, 2, 3, 4], ones, all);
      const last = zeros(stride);
      run('dropoutRows', [1, keys, stride, 9, threshold, 1, 2, 3, 4], ones, last);
      expect(all.slice(5 * stride, 5 * stride + keys)).toEqual(last.slice(0, keys));
      expect(all.slice(0, keys)).not.toEqual(last.slice(0, keys));
    });

    test('keeps the right share of values, and differs by seed, step, sequence and place in the model', () => {
      const n = 100_000;
      const dropped = mask(n, 1, 2, 3, 4).reduce((count, x) => count + (x === 0 ? 1 : 0), 0);
      expect(Math.abs(dropped / n - 0.3)).toBeLessThan(0.005);
      const masks = [
        [1, 2, 3, 4],
        [9, 2, 3, 4],
        [1, 9, 3, 4],
        [1, 2, 9, 4],
        [1, 2, 3, 9],
      ].map((key) => mask(200, ...(key as [number, number, number, number])).join());
      expect(new Set(masks).size).toBe(5);
    });
  });
});

/** Philox-4x32-10 (Salmon et al. 2011): four random words from a counter of four and a key of two. */
function philox(counter: number[], key: number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  const word = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const [first, second] = [c0 * 0xd2511f53n, c2 * 0xcd9e8d57n];
    [c0, c1, c2, c3] = [(second >> 32n) ^ c1 ^ k0, second & word, (first >> 32n) ^ c3 ^ k1, first & word];
    [k0, k1] = [(k0 + 0x9e3779b9n) & word, (k1 + 0xbb67ae85n) & word];
  }
  return [c0, c1, c2, c3].map(Number);
}
