/**
 * Prints what the training of each study costs on this machine, before anything runs. It is not a stage of the pipeline.
 *
 *     npm run price                 # all studies of studies.yaml
 *     npm run price -- char-100M    # some of them, with each of their runs
 *
 * Speed is measured here: parts/training-speed.ts. Data preparation, evaluation and samples are not counted.
 */
import { availableParallelism, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { openEngine } from '../../lib/engine/index.ts';
import { engineWithoutGpu } from '../parts/engine-without-gpu.ts';
import { priceStudy } from '../parts/price.ts';
import { readStudies } from '../parts/studies.ts';
import { measureSpeed, trainingSpeed } from '../parts/training-speed.ts';

/** Prints the prices of the studies that are named on the command line, or of all. */
async function main(): Promise<void> {
  const studies = readStudies();
  const { positionals: named } = parseArgs({ allowPositionals: true, options: {} });
  const unknown = named.find((name) => !studies.has(name));
  if (unknown !== undefined)
    throw new Error(`there is no study ${unknown} in studies.yaml; it has ${[...studies.keys()].join(', ')}`);
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

await main().catch((error: Error) => {
  console.error(`price: ${error.message}`);
  process.exitCode = 1;
});
