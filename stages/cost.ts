/**
 * Tells repro what training runs will cost before they run: the `cost` command of the stage `train`.
 *
 *     echo '["train@char-gpt-tiny-1"]' | node stages/start.mjs stages/cost.ts SPEED
 *     {"train@char-gpt-tiny-1":{"seconds":3.1,"memory":98304000}}
 *
 * The speed of this machine is measured once, and kept in the file SPEED.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Engine, openEngine } from '../lib/engine/index.ts';
import { describeError, readParams } from '../lib/repro/index.ts';
import { engineWithoutGpu } from './parts/engine-without-gpu.ts';
import type { Params } from './parts/params.ts';
import { priceStudy } from './parts/price.ts';
import { PARAMS_SCHEMA } from './parts/stage.ts';
import { measureSpeed, type SpeedPoint, type TrainingSpeed, trainingSpeed } from './parts/training-speed.ts';

/** Bytes of a training process without a model. */
const PROCESS_MEMORY = 100 * 2 ** 20;

async function main(file: string): Promise<void> {
  const asked: string[] = JSON.parse(await text(process.stdin));
  const params: Params = await readParams('params.yaml', { schema: PARAMS_SCHEMA });
  const { threads } = params.train;
  const engine = await openEngine(engineWithoutGpu(params.train));
  const { runs } = priceStudy(params, engine, await keptSpeed(engine, file), { cpus: 1, memory: 1 });
  const costs = runs
    .map(
      ({ name, hours, memory }) =>
        [`train@${name}`, { seconds: (hours * 3600) / threads, memory: memory + PROCESS_MEMORY }] as const,
    )
    .filter(([stage]) => asked.includes(stage));
  console.log(JSON.stringify(Object.fromEntries(costs)));
}

/** The speed that the file has for this processor and engine; otherwise it is measured and kept. */
async function keptSpeed(engine: Engine, file: string): Promise<TrainingSpeed> {
  const machine = `${cpus()[0]?.model ?? ''}, ${engine.description}`;
  const kept: { machine?: string; points?: SpeedPoint[] } = existsSync(file)
    ? JSON.parse(await readFile(file, 'utf8'))
    : {};
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
