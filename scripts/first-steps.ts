/**
 * Takes the first 20 steps of the runs of published studies, with their own shapes, blocks, batches and rates, on a few
 * composed pieces. Shows that each study can start here, before days are spent on it.
 *
 *     npx tsx scripts/first-steps.ts                    the smallest model of each study of studies.yaml
 *     npx tsx scripts/first-steps.ts char-100M --all    all models of a study that fit into memory
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEngine } from '../lib/engine/index.ts';
import { grid, type Run } from '../stages/parts/grid.ts';
import type { Params } from '../stages/parts/params.ts';
import { priceStudy } from '../stages/parts/price.ts';
import { readStudies } from '../stages/parts/studies.ts';
import { parseOptions } from './command-line.ts';
import { runStage } from './run-stage.ts';

/** Training steps of each run. */
const STEPS = 20;
/** Hours that the steps of a run may take if no study is named. */
const LONGEST = 0.5;
/** Floating-point operations per second of a core, roughly. */
const USUAL_SPEED = 80e9;

/**
 * Trains one run of a study for 20 steps.
 *
 * @param tokens folder of tokens
 * @param folder for params, model and metrics
 * @returns the metrics of the stage `train`, and its times
 * @throws ExecaError with the message of the stage if it fails
 */
export async function firstSteps(tokens: string, params: Params, run: Run, folder: string) {
  const { block, batch } = params.train;
  const train = {
    ...params.train,
    tokens: STEPS * block * batch,
    budgets: [],
    evaluations: 1,
    evaluation_tokens: 2 * block,
  };
  const metrics = join(folder, `${run.name}.json`);
  const times = join(folder, `${run.name}.times.json`);
  const paths = [tokens, join(folder, run.name), join(folder, `${run.name}.csv`)];
  const flags = ['--size', run.size, '--seed', String(run.seed), '--metrics', metrics, '--times', times];
  await runStage(folder, { ...params, train }, 'train', ...paths, ...flags);
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
  return { ...read(times), ...read(metrics) };
}

async function main(): Promise<void> {
  const { values, positionals: named } = parseOptions(import.meta.url, {
    allowPositionals: true,
    options: { all: { type: 'boolean' } },
  });
  const studies = readStudies();
  const unknown = named.find((name) => !studies.has(name));
  if (unknown !== undefined) {
    console.error(`there is no study ${unknown} in studies.yaml; it has ${[...studies.keys()].join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const engine = await openEngine({ name: 'auto', threads: 1 });
  const folder = mkdtempSync(join(tmpdir(), 'first-steps-'));
  const at = (...names: string[]) => join(folder, ...names);
  try {
    for (const [name, params] of studies) {
      if (named.length > 0 && !named.includes(name)) continue;
      const download = { ...params.download, dataset: 'synthetic', pieces: 60, max_files: 0 };
      const split = { ...params.split, min_gzip_ratio: 0, fractions: { train: 0.8, val: 0.1, test: 0.1 } };
      const small: Params = { ...params, download, split };
      mkdirSync(at(name));
      await runStage(folder, small, 'download', at(name, 'raw'));
      await runStage(folder, small, 'convert', at(name, 'raw'), at(name, 'abc'));
      await runStage(folder, small, 'split', at(name, 'abc'), at(name, 'splits'));
      for (const tokenizer of params.train.tokenizers)
        await runStage(folder, small, 'tokenize', at(name, 'splits'), at(name, tokenizer), '--tokenizer', tokenizer);

      const { runs } = priceStudy(params, engine, () => 1, { cpus: 1, memory: totalmem() });
      const priced = grid(params).map((run, i) => ({ run, ...runs[i] }));
      const chosen = values.all ? priced : [priced.reduce((least, next) => (next.flops < least.flops ? next : least))];
      for (const { run, memory, flops } of chosen) {
        const { tokens, block, batch } = params.train;
        const hours = ((flops / tokens) * STEPS * block * batch) / USUAL_SPEED / 3600;
        if (named.length === 0 && hours > LONGEST) {
          console.log(`${name} ${run.name}: left out, takes about ${hours.toFixed(1)} h; name the study to run it`);
          continue;
        }
        if (memory > 0.8 * totalmem()) {
          console.log(`${name} ${run.name}: left out, needs ${(memory / 2 ** 30).toFixed(1)} GiB`);
          continue;
        }
        const trained = await firstSteps(at(name, run.tokenizer), small, run, at(name));
        const { params: size, steps, train_loss: loss, learning_rate: rate, tokens_per_second: speed } = trained;
        console.log(
          `${name} ${run.name}: N ${size}, ${steps} steps at ${rate.toPrecision(2)}, loss ${loss.toFixed(3)}, ${speed.toFixed(0)} tokens/s`,
        );
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
