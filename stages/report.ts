/**
 * Writes the results of the study to one page, REPORT/index.html: the fits, tables, plots, and samples to read and
 * play.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ReportSample, type Validity, writeReport } from '../lib/report/index.ts';
import { readRuns, type Study, wilsonInterval } from '../lib/scaling/index.ts';
import { readJson, stage } from './stage.ts';

/** The plots of the page, in this order, with their captions. */
const CAPTIONS = {
  scaling: 'Loss against model size: a point a run, a curve a fit, its band the interval.',
  architectures: 'The architectures side by side.',
  training: 'Losses along each run.',
  split: 'What became of the data set.',
  tokens: 'What the tokenizers make of it.',
};

/** A sample in the metrics of generate. */
interface SampleMetrics {
  name: string;
  valid: boolean;
  bars: number;
  problem?: string;
  /** null if the measure is not defined for the sample */
  measures?: Record<string, number | null>;
}

/** What the metrics of generate say of all samples of one kind. */
interface DrawMetrics {
  samples: number;
  valid: number;
}

await stage({
  name: 'report',
  description: 'Writes REPORT/index.html, a page that opens from disk and loads nothing from the network.',
  paths: ['RUNS.csv', 'SCALING.json', 'PLOTS', 'SAMPLES', 'METRICS', 'REPORT'],
  async run({ paths: [runs, scaling, plotsDir, samplesDir, metricsDir, out], params, progress }) {
    const results = readRuns(await readFile(runs, 'utf8'), runs);
    const study: Study = await readJson(scaling);
    const plots = [];
    for (const [name, caption] of Object.entries(CAPTIONS))
      plots.push({ name, caption, svg: await readFile(join(plotsDir, `${name}.svg`), 'utf8') });

    const samples: ReportSample[] = [];
    const ruled: DrawMetrics[] = [];
    const free: DrawMetrics[] = [];
    for (const [i, { run }] of results.entries()) {
      progress.update({ done: i, total: results.length, unit: 'runs', text: run });
      const drawn = await readJson(join(metricsDir, 'generate', `${run}.json`));
      ruled.push(drawn);
      free.push(drawn.free);
      for (const sample of [...drawn.each, ...drawn.free.each].slice(0, params.report.samples))
        samples.push(await readSample(samplesDir, run, sample));
    }
    const { engine } = await readJson(join(metricsDir, 'train', `${results[0].run}.json`));
    const settings = { train: params.train, fit: params.fit };
    await writeReport(out, {
      title: params.report.title,
      results,
      study,
      plots,
      samples,
      validity: { ruled: validityOf(ruled), free: validityOf(free) },
      settings,
      provenance: { engine },
    });
    return { runs: results.length, plots: plots.length, samples: samples.length };
  },
});

/** Sums up the samples of all runs. */
function validityOf(draws: DrawMetrics[]): Validity | undefined {
  const samples = draws.reduce((sum, draw) => sum + draw.samples, 0);
  const valid = draws.reduce((sum, draw) => sum + draw.valid, 0);
  return samples === 0 ? undefined : { samples, valid, interval: wilsonInterval(valid, samples) };
}

/** Reads the ABC and MIDI of a sample, and joins them with its metrics. */
async function readSample(
  folder: string,
  run: string,
  { name, valid, bars, problem, measures }: SampleMetrics,
): Promise<ReportSample> {
  const path = join(folder, run, name);
  return {
    run,
    index: Number(name.replace(/^free-/, '')),
    abc: await readFile(`${path}.abc`, 'utf8'),
    midiBase64: bars > 0 ? await readFile(`${path}.mid`, 'base64') : undefined,
    valid,
    measures: bars,
    metrics: measures && definedMeasures(measures),
    problem,
  };
}

function definedMeasures(measures: Record<string, number | null>): Record<string, number> {
  return Object.fromEntries(Object.entries(measures).filter((entry): entry is [string, number] => entry[1] !== null));
}
