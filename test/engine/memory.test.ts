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
import { openEngine, type TrainSettings, train } from '../../lib/engine/index.ts';
import type { ModelConfig } from '../../lib/models/index.ts';
import { parseBytes } from '../../lib/repro/messages/index.ts';
import { priceStudy } from '../../stages/parts/price.ts';
import { readStudies } from '../../stages/parts/studies.ts';
import { countingSource, nativeIsBuilt } from './tiny.ts';

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

  test('is refused if it needs more than its share beside other runs', async () => {
    const config: ModelConfig = { ...shape, architecture: 'lstm', block: 16, layers: 1, width: 64, embedding: 64 };
    const settings = { tokens: 64, batch: 2, learningRate: 1e-3, evaluations: 1, evaluationTokens: 32 };
    const options = {
      engine: await openEngine({ name: 'native' }),
      config,
      source: countingSource(128, 1000),
      seed: 1,
    };
    await expect(train({ ...options, settings, memoryShare: 2 ** 16 })).rejects.toThrow(
      /needs 0\.0 GiB; next to other runs, a run may use 0\.0 GiB\. With train\.memory: \d+MiB, fewer run at once/,
    );
    await train({ ...options, settings, memoryShare: 2 ** 30 });
  });

  test('has its memory reserved in every study of studies.yaml, with at most a third to spare beyond Node', async () => {
    const engine = await openEngine({ name: 'native', threads: 1 });
    for (const [name, params] of readStudies()) {
      const { memory } = priceStudy(params, engine, () => 1, { cpus: 1, memory: 2 ** 36 });
      const reserved = parseBytes(params.train.memory)!;
      expect(reserved, name).toBeGreaterThan(memory + 150 * 2 ** 20);
      expect(reserved, name).toBeLessThan(1.33 * memory + 256 * 2 ** 20);
    }
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
