/**
 * Fits the scaling laws of each tokenizer and architecture: L(N), or L(N, D) if the runs saw several token budgets.
 * OUT.json holds the fits with intervals, or the reason why a fit was refused. The verdicts are printed.
 */
import { join } from 'node:path';
import {
  fitStudy,
  type LawForm,
  publishedResults,
  type RunRow,
  readRuns,
  readTuneLosses,
  type TuneLoss,
} from '../lib/scaling/index.ts';
import { readText, StageError, stage, writeJson } from './parts/stage.ts';

const FORMS: readonly LawForm[] = ['auto', 'power', 'chinchilla'];

await stage({
  name: 'fit',
  description:
    'Fits a scaling law to the runs of every tokenizer and architecture in RUNS.csv, a table like outputs/results.csv.',
  paths: ['RUNS.csv', 'OUT.json'],
  flags: {
    loss: 'column of the loss. Default: fit.loss, or the only loss that the table has',
    size: 'column of the size. Default: fit.size',
    form: 'auto, power: L(N), or chinchilla: L(N, D). Default: fit.form',
    losses: 'folder with RUN.csv for each run: its losses by test tune. Intervals then include the choice of tunes',
    results: 'where to write the models and fits as published studies do, for example scaling_results.json',
  },
  optional: ['loss', 'size', 'form', 'losses', 'results'],
  async run({ paths: [runs, out], flags, params }) {
    const { confidence } = params.fit;
    const form = (flags.form ?? params.fit.form ?? 'auto') as LawForm;
    if (!FORMS.includes(form)) throw new StageError(`--form ${form} is unknown: it is ${FORMS.join(', ')}`);
    const rows = readRuns(await readText(runs), runs);
    const { loss, size } = { loss: flags.loss ?? params.fit.loss, size: flags.size ?? params.fit.size };
    const tunes = flags.losses === undefined ? undefined : await readLosses(flags.losses, rows);
    const study = fitStudy(rows, { loss, size, confidence, form, tunes });
    await writeJson(out, study);
    if (flags.results !== undefined) await writeJson(flags.results, publishedResults(rows, study));
    for (const { verdict } of [...Object.values(study.fits), ...study.comparisons]) console.log(verdict);
    for (const warning of study.warnings) console.log(`Warning: ${warning}.`);
    return study;
  },
});

/** The losses of each run by test tune. Runs without a file are left out. */
async function readLosses(folder: string, rows: readonly RunRow[]): Promise<Map<string, TuneLoss[]>> {
  const tunes = new Map<string, TuneLoss[]>();
  for (const { run } of rows) {
    const file = join(folder, `${run}.csv`);
    const text = await readText(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text !== undefined) tunes.set(run, readTuneLosses(text, file));
  }
  return tunes;
}
