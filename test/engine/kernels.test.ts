/** LayerNorm, losses, activations, the LSTM cell and AdamW of the native engine, for every instruction set of this CPU, compared with their formulas in double precision. */
import { describe, expect, test } from 'vitest';
import { EngineError, openEngine } from '../../lib/engine/index.ts';
import { difference, gelu, kernelsOf, numbers, sigmoid, tolerance, zeros } from './kernel-reference.ts';
import { instructionSets, isBuilt } from './native-build.ts';

test.skipIf(isBuilt)('without a built addon, the native engine refuses to open', async () => {
  await expect(openEngine({ name: 'native' })).rejects.toThrow(EngineError);
});
describe.each(instructionSets)('%s', (set) => {
  const run = kernelsOf(set);

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
});
