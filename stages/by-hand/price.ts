/**
 * Prints what the training of each study costs on this machine, before anything runs. It is not a stage of the pipeline.
 *
 *     npm run price                 # all studies of studies.yaml
 *     npm run price -- char-100M    # some of them, with each of their runs
 *
 * Speed is measured here: parts/training-speed.ts. Data preparation, evaluation and samples are not counted.
 */
import { availableParallelism, totalmem } from 'node:os';
import { openEngine } from '../../lib/engine/index.ts';
import { problemsOf } from '../parts/check-params.ts';
import { engineWithoutGpu } from '../parts/engine-without-gpu.ts';
import { grid } from '../parts/grid.ts';
import type { Params } from '../parts/params.ts';
import { configOf, priceStudy } from '../parts/price.ts';
import { StageError } from '../parts/stage.ts';
import { readStudies } from '../parts/studies.ts';
import { measureSpeed, trainingSpeed } from '../parts/training-speed.ts';
import { program } from './program.ts';

/** Prints the prices of the studies that are named on the command line, or of all. */
async function price(named: readonly string[]): Promise<void> {
  const studies = readStudies();
  const unknown = named.find((name) => !studies.has(name));
  if (unknown !== undefined)
    throw new StageError(`there is no study ${unknown} in studies.yaml; it has ${[...studies.keys()].join(', ')}`);
  for (const [name, params] of studies) await check(name, params);
  const machine = { cpus: availableParallelism(), memory: totalmem() };
  const { train } = studies.values().next().value!;
  const engine = await openEngine(engineWithoutGpu(train));
  const points = await measureSpeed(engine);
  const speed = trainingSpeed(points);
  const range = (architecture: string) =>
    points
      .filter((point) => point.architecture === architecture)
      .map((point) => plain(point.speed / 1e9))
      .join(' to ');
  console.log(
    `${engine.description}; ${range('gpt')} GFLOP/s per core for GPTs, small to large, ${range('lstm')} for LSTMs; ` +
      `${machine.cpus} cores, ${gib(machine.memory)}\n`,
  );
  const prices = [...studies].filter(([name]) => named.length === 0 || named.includes(name));
  const rows: string[][] = [];
  for (const [name, params] of prices) {
    const price = priceStudy(params, engine, speed, machine);
    const alone = price.runs.reduce((total, run) => total + run.hours, 0);
    rows.push([
      name,
      `${price.runs.length} runs`,
      ...figures(price),
      duration(alone),
      `${duration(price.hours)} on ${price.workers}`,
    ]);
    if (named.length > 0)
      for (const run of price.runs)
        rows.push([`  ${run.name}`, `N ${run.params.toLocaleString('en')}`, ...figures(run), duration(run.hours), '']);
  }
  printTable(['study', '', 'FLOP', 'largest run', 'one core', 'here'], rows);
}

/** @throws StageError naming the study and the key that is wrong */
async function check(name: string, params: Params): Promise<void> {
  const [problem] = await problemsOf(params);
  if (problem !== undefined)
    throw new StageError(`study ${name}: ${[problem.key, problem.message].filter(Boolean).join(': ')}`);
  for (const run of grid(params))
    try {
      configOf(params, run);
    } catch (error) {
      throw new StageError(`study ${name}: ${(error as Error).message}`);
    }
}

function figures({ flops, memory }: { flops: number; memory: number }): [string, string] {
  return [flops.toExponential(1).replace('+', ''), gib(memory)];
}

function gib(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function duration(hours: number): string {
  if (hours >= 48) return `${plain(hours / 24)} days`;
  return hours >= 2 ? `${plain(hours)} h` : `${plain(hours * 60)} min`;
}

function plain(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
}

function printTable(head: string[], rows: string[][]): void {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  for (const row of [head, ...rows])
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
}

await program({
  name: 'price',
  usage: '[STUDY…]',
  description:
    'Prints what the training of each study of studies.yaml costs on this machine. With names of studies, prints these and each of their runs.',
  arguments: [0, Number.POSITIVE_INFINITY],
  run: ({ args }) => price(args),
});
