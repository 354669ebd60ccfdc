/**
 * Tells repro what the stages of training runs will cost before they run: the `cost` command of `train`, `evaluate` and
 * `generate`.
 *
 *     echo '["train@char-gpt-tiny-1", "evaluate@char-gpt-tiny-1"]' | node stages/start.mjs stages/cost.ts SPEED
 *     {"train@char-gpt-tiny-1":{"seconds":3.1,"memory":98304000},"evaluate@char-gpt-tiny-1":{"seconds":1.2}}
 *
 * The speed of this machine is measured once, and kept in the file SPEED.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Engine, openEngine } from '../lib/engine/index.ts';
import { describeError, readParams } from '../lib/repro/index.ts';
import { engineWithoutGpu } from './parts/engine-without-gpu.ts';
import { grid } from './parts/grid.ts';
import type { Params } from './parts/params.ts';
import { priceStudy } from './parts/price.ts';
import { PARAMS_SCHEMA } from './parts/stage.ts';
import { stageCosts } from './parts/stage-costs.ts';
import { measureSpeed, type SpeedPoint, type TrainingSpeed, trainingSpeed } from './parts/training-speed.ts';

/** Bytes of a training process without a model. */
const PROCESS_MEMORY = 100 * 2 ** 20;

async function main(file: string): Promise<void> {
  const asked: string[] = JSON.parse(await text(process.stdin));
  const params: Params = await readParams('params.yaml', { schema: PARAMS_SCHEMA });
  const { threads } = params.train;
  const engine = await openEngine(engineWithoutGpu(params.train));
  const speed = await keptSpeed(engine, file);
  const { runs } = priceStudy(params, engine, speed, { cpus: 1, memory: 1 });
  const prices = new Map(runs.map((price) => [price.name, price]));
  const costs = new Map<string, { seconds: number; memory?: number }>();
  for (const run of grid(params)) {
    const { hours, memory } = prices.get(run.name)!;
    const seconds = stageCosts(params, run, speed, (hours * 3600) / threads);
    costs.set(`train@${run.name}`, { seconds: seconds.train, memory: memory + PROCESS_MEMORY });
    costs.set(`evaluate@${run.name}`, { seconds: seconds.evaluate });
    costs.set(`generate@${run.name}`, { seconds: seconds.generate });
  }
  console.log(JSON.stringify(Object.fromEntries([...costs].filter(([stage]) => asked.includes(stage)))));
}

/** The speed that the file has for this processor and engine; otherwise it is measured and kept. */
async function keptSpeed(engine: Engine, file: string): Promise<TrainingSpeed> {
  const machine = `${cpus()[0]?.model ?? ''}, ${engine.description}`;
  // A damaged file is written again.
  const kept: { machine?: string; points?: SpeedPoint[] } =
    (await readFile(file, 'utf8')
      .then(JSON.parse)
      .catch(() => undefined)) ?? {};
  if (kept.machine === machine && kept.points !== undefined) return trainingSpeed(kept.points);
  const points = await measureSpeed(engine);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ machine, points }));
  return trainingSpeed(points);
}

await main(process.argv[2] ?? '.repro/memo/speed.json').catch((error: unknown) => {
  console.error(`cost: ${describeError(error)}`);
  process.exitCode = 1;
});
