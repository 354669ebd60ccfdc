/**
 * What the training of a study costs on this machine, before anything runs: floating-point operations, hours and memory.
 *
 *     npx tsx stages/price.ts              all studies of studies.yaml
 *     npx tsx stages/price.ts char-100M    some of them, with each of their runs
 *
 * Speed is measured here: parts/training-speed.ts. Data preparation, evaluation and samples are not counted.
 */
import { availableParallelism, totalmem } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type Engine, estimateRunMemory, openEngine } from '../lib/engine/index.ts';
import { countParameters, flopsPerToken, type ModelConfig, modelConfig } from '../lib/models/index.ts';
import { grid } from './parts/grid.ts';
import type { Params } from './parts/params.ts';
import { readStudies } from './parts/studies.ts';
import { measureSpeed, type TrainingSpeed, trainingSpeed } from './parts/training-speed.ts';

/** Vocabularies that are not known before the data set is there. Characters: those of the dialect. */
const USUAL_VOCABULARY = { char: 64, music: 600 };

/** The price of one training run. */
interface RunPrice {
  name: string;
  params: number;
  flops: number;
  /** bytes */
  memory: number;
  /** on one core */
  hours: number;
}

/** The price of a study. */
export interface StudyPrice {
  runs: RunPrice[];
  flops: number;
  /** bytes of the largest run */
  memory: number;
  /** how many runs go side by side here */
  workers: number;
  /** from the first run to the last, that many side by side */
  hours: number;
}

/** The configuration of a run's model, as far as it is known before the data set is there. */
export function configOf(params: Params, run: { tokenizer: string; size: string }): ModelConfig {
  const vocabularySize =
    run.tokenizer === 'bpe'
      ? params.tokenize.bpe.vocabulary
      : USUAL_VOCABULARY[run.tokenizer as keyof typeof USUAL_VOCABULARY];
  const { block, dropout } = params.train;
  return modelConfig(params.sizes[run.size], { vocabularySize, block, dropout });
}

/**
 * Computes the price of a study.
 *
 * @param speed operations per second of one core
 * @param machine its number of cores, and bytes of memory
 */
export function priceStudy(
  params: Params,
  engine: Engine,
  speed: TrainingSpeed,
  machine: { cpus: number; memory: number },
): StudyPrice {
  const { train } = params;
  // The cooldowns of smaller budgets are trained as well.
  const tokens = train.tokens * (1 + sum(train.budgets) * train.cooldown);
  const runs = grid(params).map((run) => {
    const config = configOf(params, run);
    const flops = flopsPerToken(config, train.block) * tokens;
    return {
      name: run.name,
      params: countParameters(config).total,
      flops,
      memory: estimateRunMemory(engine, config, { batch: train.batch, budgets: train.budgets }, true),
      hours: flops / speed(config) / 3600,
    };
  });
  const memory = Math.max(...runs.map((run) => run.memory));
  const workers = Math.max(1, Math.min(machine.cpus, Math.floor(machine.memory / memory), runs.length));
  return { runs, flops: sum(runs.map((run) => run.flops)), memory, workers, hours: makespan(runs, workers) };
}

/** Hours until all runs have ended, if a free worker always takes the longest run that waits. */
function makespan(runs: readonly RunPrice[], workers: number): number {
  const busy = new Array<number>(workers).fill(0);
  for (const hours of runs.map((run) => run.hours).sort((a, b) => b - a))
    busy[busy.indexOf(Math.min(...busy))] += hours;
  return Math.max(...busy);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Prints the prices of the studies that are named on the command line, or of all. */
async function main(): Promise<void> {
  const studies = readStudies();
  const { positionals: named } = parseArgs({ allowPositionals: true, options: {} });
  const unknown = named.find((name) => !studies.has(name));
  if (unknown !== undefined)
    throw new Error(`there is no study ${unknown} in studies.yaml; it has ${[...studies.keys()].join(', ')}`);
  const machine = { cpus: availableParallelism(), memory: totalmem() };
  const { train } = studies.values().next().value!;
  const engine = await openEngine({ name: train.engine, precision: train.precision, threads: 1 });
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
    const alone = sum(price.runs.map((run) => run.hours));
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

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await main().catch((error: Error) => {
    console.error(`price: ${error.message}`);
    process.exitCode = 1;
  });
