/**
 * Measures the memory of training runs in separate processes, and compares it with the estimate that is made before a
 * run.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openEngine, type TrainSettings } from '../../lib/engine/index.ts';
import type { ModelConfig } from '../../lib/models/index.ts';
import { nativeIsBuilt } from './tiny.ts';

const program = fileURLToPath(new URL('measure-run-memory.ts', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'memory-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** bytes that Node itself needs for compiled code */
const interpreter = 40 * 2 ** 20;

function measure(config: ModelConfig, settings: Partial<TrainSettings>): { estimated: number; measured: number } {
  const request = { config, settings: { learningRate: 1e-3, evaluationTokens: 256, ...settings }, threads: 1 };
  const args = ['--import', 'tsx', program, JSON.stringify({ ...request, engine: 'native' }), dir];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

const shape = { vocabularySize: 128, dropout: 0 };
describe.skipIf(!nativeIsBuilt)('a run on the native engine (skipped if it is not built: `npm run build`)', () => {
  test.each<[string, ModelConfig, Partial<TrainSettings>]>([
    [
      'a GPT, mostly weights and moments',
      { ...shape, architecture: 'gpt', block: 64, layers: 2, width: 512, heads: 8, bias: true },
      { tokens: 1024, batch: 4, evaluations: 2 },
    ],
    [
      'an LSTM, whose microbatch the engine chooses',
      { ...shape, architecture: 'lstm', block: 32, layers: 2, width: 448, embedding: 448 },
      { tokens: 2048, batch: 32, evaluations: 2 },
    ],
  ])('needs the estimated memory, within a third: %s', (_, config, settings) => {
    const { estimated, measured } = measure(config, settings);
    expect(estimated).toBeGreaterThan(100 * 2 ** 20);
    expect(measured).toBeLessThan(1.33 * estimated + interpreter);
    expect(measured).toBeGreaterThan(estimated / 1.33);
  });

  test('needs no more for a batch of 50,000 tokens than for its microbatch', async () => {
    const config: ModelConfig = {
      ...{ ...shape, architecture: 'gpt', block: 256, layers: 1, width: 96, heads: 4, bias: true },
    };
    const batch = 195;
    const { estimated, measured } = measure(config, { tokens: 1, batch, microbatch: 2 });
    expect(measured).toBeLessThan(1.33 * estimated + interpreter);
    const engine = await openEngine({ name: 'native' });
    expect(engine.memory(config, { batch, microbatch: batch })).toBeGreaterThan(4 * (1.33 * estimated + interpreter));
  });
});
