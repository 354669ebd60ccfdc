/**
 * Shows that the learning rates of params.yaml are right for every size: trains each size at the rate of the rule, at
 * half of it and at twice it, on music that the study does not use. At the rate of the rule it uses --seeds, whose
 * spread is the noise, and at the other rates --other-seeds.
 *
 *     npx tsx scripts/sweep-learning-rates.ts FOLDER [--sizes gpt-tiny,lstm-tiny] [--factors 0.5,1,2] [--seeds 1,2,3]
 *         [--other-seeds 1] [--dataset DATASET] [--tokenizer char] [--split test]
 *
 * All other settings are those of params.yaml. --dataset takes what `download.dataset` takes. FOLDER keeps the music,
 * the tokens and results.csv; a second call makes only the runs that are missing, and needs the same data set and
 * tokenizer. Prints the table of docs/results/learning-rates.md, as Markdown: bits per byte of the test split, or of
 * --split val, if the study uses the same music and its test split must not choose the rates.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { csvFormatRow, csvParse } from 'd3-dsv';
import { parse } from 'yaml';
import type { ByArchitecture, Params } from '../stages/parts/params.ts';
import { parseOptions } from './command-line.ts';
import { runStage } from './run-stage.ts';

/** Another seed of the composer than the default study's, so that rates are not chosen on the data they are used on. */
const MUSIC_SEED = 2;
const COLUMNS = [
  'size',
  'params',
  'factor',
  'learning_rate',
  'seed',
  'val_bits_per_byte',
  'test_bits_per_byte',
] as const;

/** A run of the sweep: a size, a multiple of the rule's learning rate, and a seed. */
interface Run {
  size: string;
  factor: number;
  seed: number;
}
/** A row of results.csv. */
type Result = Run & { params: number; learning_rate: number; bits_per_byte: number };

const { values, positionals } = parseOptions(import.meta.url, {
  allowPositionals: true,
  options: {
    sizes: { type: 'string' },
    factors: { type: 'string', default: '0.5,1,2' },
    seeds: { type: 'string', default: '1,2,3' },
    'other-seeds': { type: 'string', default: '1' },
    dataset: { type: 'string' },
    tokenizer: { type: 'string', default: 'char' },
    split: { type: 'string', default: 'test' },
  },
});
if (positionals.length !== 1) {
  console.error('sweep: give one FOLDER for the music and the results');
  process.exit(2);
}
const folder = resolve(positionals[0]);
const results = join(folder, 'results.csv');
const params = readParams();
const sizes = values.sizes?.split(',') ?? params.train.sizes;
const factors = values.factors.split(',').map(Number);
const seeds = values.seeds.split(',').map(Number);
const otherSeeds = values['other-seeds'].split(',').map(Number);
mkdirSync(folder, { recursive: true });
if (!existsSync(results)) appendFileSync(results, `${csvFormatRow([...COLUMNS])}\n`);
await makeTokens();
for (const seed of new Set([...seeds, ...otherSeeds]))
  for (const factor of factors)
    for (const size of sizes) {
      if (!(factor === 1 ? seeds : otherSeeds).includes(seed)) continue;
      const isThis = (each: Run) => each.size === size && each.factor === factor && each.seed === seed;
      if (!readResults().some(isThis)) await train({ size, factor, seed });
    }
console.log(table(readResults()));

/** params.yaml with other music. */
function readParams(): Params {
  const study: Params = parse(readFileSync(new URL('../params.yaml', import.meta.url), 'utf8'));
  const { dataset = study.download.dataset } = values;
  return { ...study, download: { ...study.download, dataset, seed: MUSIC_SEED } };
}

function readResults(): Result[] {
  return csvParse(readFileSync(results, 'utf8')).map((row) => ({
    size: row.size,
    factor: Number(row.factor),
    seed: Number(row.seed),
    params: Number(row.params),
    learning_rate: Number(row.learning_rate),
    bits_per_byte: Number(values.split === 'val' ? row.val_bits_per_byte : row.test_bits_per_byte),
  }));
}

/** Composes the music and makes its tokens, once. */
async function makeTokens(): Promise<void> {
  const at = (name: string) => join(folder, name);
  if (existsSync(at(values.tokenizer))) return;
  await runStage(folder, params, 'download', at('raw'));
  await runStage(folder, params, 'convert', at('raw'), at('abc'));
  await runStage(folder, params, 'split', at('abc'), at('splits'));
  await runStage(folder, params, 'tokenize', at('splits'), at(values.tokenizer), '--tokenizer', values.tokenizer);
}

/** Trains and evaluates one run, in a folder of its own, and appends its row. */
async function train({ size, factor, seed }: Run): Promise<void> {
  const at = (name: string) => join(folder, `${size}-${factor}-${seed}`, name);
  mkdirSync(at('.'), { recursive: true });
  const { train: settings } = params;
  const run: Params = {
    ...params,
    train: { ...settings, lr: scaled(settings.lr, factor), evaluations: 1, budgets: [] },
  };
  const tokens = join(folder, values.tokenizer);
  const named = ['--size', size, '--seed', String(seed), '--metrics', at('train.json')];
  await runStage(at('.'), run, 'train', tokens, at('model'), at('curve.csv'), ...named);
  const files = [at('model'), tokens, at('losses.csv'), at('positions.csv')];
  await runStage(at('.'), run, 'evaluate', ...files, '--metrics', at('evaluate.json'));
  const metrics = (stage: string) => JSON.parse(readFileSync(at(`${stage}.json`), 'utf8'));
  const row = { size, factor, seed, ...metrics('train'), ...metrics('evaluate') };
  appendFileSync(results, `${csvFormatRow(COLUMNS.map((column) => String(row[column])))}\n`);
  rmSync(at('.'), { recursive: true });
}

function scaled(value: ByArchitecture, factor: number): ByArchitecture {
  if (typeof value === 'number') return value * factor;
  return Object.fromEntries(Object.entries(value).map(([architecture, each]) => [architecture, each * factor]));
}

/**
 * A row for each size: its mean loss at each factor, the standard deviation of the seeds at the rule's rate, and the
 * gain of the best other rate, also in standard deviations of such a difference of means.
 */
function table(all: Result[]): string {
  const shown = [...new Set([...factors, 1])].sort((a, b) => a - b);
  const titles = shown.map((factor) => (factor === 1 ? "the rule's rate" : `× ${factor}`));
  const header = ['size', 'N', 'rate', ...titles, 'sd of seeds', 'gain of another rate'];
  const lines = [header, header.map((_, i) => (i === 0 ? '---' : '---:'))];
  const pooled = pooledDeviation(all);
  for (const size of sizes) {
    const ofSize = all.filter((each) => each.size === size);
    const atRule = ofSize.filter(({ factor }) => factor === 1);
    if (atRule.length === 0) continue;
    const lossesAt = (factor: number) =>
      ofSize.filter((each) => each.factor === factor).map((each) => each.bits_per_byte);
    const others = shown.filter((factor) => factor !== 1 && lossesAt(factor).length > 0);
    const best = others.map(lossesAt).sort((a, b) => mean(a) - mean(b))[0];
    const gain = mean(lossesAt(1)) - mean(best ?? []);
    // The standard deviation of the mean of n runs is that of one run times √(1/n).
    const error = pooled * Math.sqrt(1 / atRule.length + 1 / (best?.length ?? 1));
    lines.push([
      size,
      String(atRule[0].params),
      atRule[0].learning_rate.toPrecision(3),
      ...shown.map((factor) => cell(lossesAt(factor))),
      atRule.length > 1 ? deviation(lossesAt(1)).toFixed(3) : '',
      Number.isFinite(gain / error) ? `${gain.toFixed(3)} (${(gain / error).toFixed(1)} sd)` : '',
    ]);
  }
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n\nsd of one run, over all sizes: ${pooled.toFixed(4)}`;
}

/** Standard deviation of one run between seeds, pooled over the sizes. */
function pooledDeviation(all: Result[]): number {
  let squares = 0;
  let freedom = 0;
  for (const size of sizes) {
    const losses = all.filter((each) => each.size === size && each.factor === 1).map((each) => each.bits_per_byte);
    if (losses.length < 2) continue;
    squares += deviation(losses) ** 2 * (losses.length - 1);
    freedom += losses.length - 1;
  }
  return Math.sqrt(squares / freedom);
}

/** The mean of some losses, with their number if there are several. */
function cell(losses: number[]): string {
  if (losses.length === 0) return '';
  return losses.length === 1 ? losses[0].toFixed(3) : `${mean(losses).toFixed(3)} (${losses.length} seeds)`;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: number[]): number {
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}
