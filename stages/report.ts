/**
 * Writes the results of the study to one page, REPORT/index.html: the fits, tables, plots, and samples to read and
 * play. REPORT/headline.txt has the findings in five lines, which a run on a terminal ends with.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { interactivePlot } from '../lib/plots/index.ts';
import {
  bibtex,
  dataFacts,
  formatDuration,
  headlineText,
  methodsText,
  musicSource,
  type ReportData,
  type ReportPlot,
  type ReportSample,
  type Validities,
  type Validity,
  writeReport,
} from '../lib/report/index.ts';
import { type RunRow, readRuns, type Study, wholeRuns, wilsonInterval } from '../lib/scaling/index.ts';
import { shareOf } from './parts/budgets.ts';
import type { Params } from './parts/params.ts';
import { type Commit, commitOfStudy, outputHashes, softwareOfStudy } from './parts/provenance.ts';
import { readJson, readText, stage, writeText } from './parts/stage.ts';

/** The plots of the page, in this order, with their captions. A plot that was not drawn is left out. */
const CAPTIONS: Record<string, string> = {
  scaling:
    'Loss against model size. A point is a run, a curve the law fitted to a group of runs, and a band the interval of that law, not of the runs.',
  residuals: 'How far each run is from its law. A pattern speaks against the form of the law.',
  budgets: 'Loss against the tokens seen, one line per size.',
  'compute-optimal': 'Left, the best runs for their compute. Right, the best size for a compute.',
  architectures:
    'Left, loss for the same training compute. Right, the difference of two laws at equal size, with its interval.',
  training: 'Loss of each run while it is trained.',
  positions: 'Loss by position: how many tokens of the window the model has read.',
  split: 'Files of the data set: kept, dropped, and how long the tunes are.',
  tokens: 'Left, how often each token is used in training. Right, how many tokens a tune has.',
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

/** Metrics of the stage `generate` about all samples of one kind. */
interface DrawMetrics {
  samples: number;
  valid: number;
  each: SampleMetrics[];
}

await stage({
  name: 'report',
  description: 'Writes REPORT/index.html, a page that opens from disk and loads nothing from the network.',
  paths: ['RUNS.csv', 'SCALING.json', 'PLOTS', 'SAMPLES', 'METRICS', 'REPORT'],
  async run({ paths: [runs, scaling, plotsDir, samplesDir, metricsDir, out], params, progress }) {
    const table = await readText(runs);
    const rows = readRuns(table, runs);
    const results = withBudgets(wholeRuns(rows), rows);
    const study: Study = await readJson(scaling);
    const plots = await readPlots(plotsDir, out);

    const samples: ReportSample[] = [];
    const runValidity: Record<string, Validities> = {};
    const draws: { constrained: DrawMetrics; free: DrawMetrics }[] = [];
    for (const [i, { run }] of results.entries()) {
      progress.update({ done: i, total: results.length, unit: 'runs', text: run });
      const constrained = await readJson(join(metricsDir, 'generate', `${run}.json`));
      const free: DrawMetrics = constrained.free;
      draws.push({ constrained, free });
      runValidity[run] = { constrained: validityOf([constrained]), free: validityOf([free]) };
      const shown = [
        ...constrained.each.map((sample: SampleMetrics) => ({ kind: 'constrained' as const, sample })),
        ...free.each.map((sample) => ({ kind: 'free' as const, sample })),
      ];
      for (const { kind, sample } of shown.slice(0, params.report.samples))
        samples.push({ ...(await readSample(samplesDir, run, sample)), kind });
    }
    const metrics = await readDataMetrics(metricsDir, results);
    const commit = commitOfStudy();
    const software = softwareOfStudy(commit);
    const { engine } = await readJson(join(metricsDir, 'train', `${results[0].run}.json`));
    const settings = settingsOf(params);
    const data: ReportData = {
      title: params.report.title,
      results,
      study,
      plots,
      samples,
      validity: {
        constrained: validityOf(draws.map(({ constrained }) => constrained)),
        free: validityOf(draws.map(({ free }) => free)),
      },
      runValidity,
      music: metrics.download && musicSource(metrics.download),
      data: dataFacts(metrics),
      files: [
        { name: basename(runs), type: 'text/csv', text: table },
        { name: basename(scaling), type: 'application/json', text: await readText(scaling) },
      ],
      citation: bibtex(params.report.title, software),
      settings,
      provenance: provenanceOf(
        commit,
        `${software.name} ${software.version}, licence ${software.licence}`,
        engine,
        results,
      ),
      hashes: outputHashes([runs, scaling]),
    };
    data.methods = methodsText(data, settings, metrics, software, engine);
    await writeReport(out, data);
    await writeText(join(out, 'headline.txt'), headlineText(data));
    return { runs: results.length, plots: plots.length, samples: samples.length };
  },
});

/** The runs, with the losses of their smaller budgets in columns of their own: test_bits_per_byte@0.25. */
function withBudgets(runs: readonly RunRow[], rows: readonly RunRow[]): RunRow[] {
  return runs.map((run) => {
    const budgets = rows.filter(({ branch_of }) => branch_of === run.run);
    const columns = budgets.map((row) => [`test_bits_per_byte@${shareOf(row.run)}`, row.test_bits_per_byte]);
    return { ...run, ...Object.fromEntries(columns) };
  });
}

/** Reads the plots that were drawn, in both layouts, with the addresses of their files relative to the page. */
async function readPlots(folder: string, page: string): Promise<ReportPlot[]> {
  const plots: ReportPlot[] = [];
  for (const [name, caption] of Object.entries(CAPTIONS)) {
    const path = join(folder, name);
    const phone = join(folder, 'narrow', name);
    if (!existsSync(`${path}.svg`)) continue;
    const wide: TopLevelSpec = await readJson(`${path}.vl.json`);
    const narrow: TopLevelSpec = await readJson(`${phone}.vl.json`);
    const address = relative(page, path).replaceAll('\\', '/');
    plots.push({
      name,
      caption,
      description: wide.description,
      svg: await readText(`${path}.svg`),
      narrowSvg: await readText(`${phone}.svg`),
      interactive: { wide: await interactivePlot(wide), narrow: await interactivePlot(narrow) },
      files: { 'Vega-Lite': `${address}.vl.json`, SVG: `${address}.svg`, PNG: `${address}.png`, PDF: `${address}.pdf` },
    });
  }
  return plots;
}

/** Reads the counts of the data. Metrics that are missing are left out. */
async function readDataMetrics(folder: string, results: readonly RunRow[]) {
  const optional = async (path: string) => (existsSync(path) ? await readJson(path) : undefined);
  // The folder may still have metrics of an earlier study's tokenizers.
  const tokenizers = new Set(results.map(({ tokenizer }) => `${tokenizer}.json`));
  const tokenize = join(folder, 'tokenize');
  const names = existsSync(tokenize) ? (await readdir(tokenize)).filter((name) => tokenizers.has(name)).sort() : [];
  return {
    download: await optional(join(folder, 'download.json')),
    convert: await optional(join(folder, 'convert.json')),
    split: await optional(join(folder, 'split.json')),
    tokenize: await Promise.all(names.map((name) => readJson(join(tokenize, name)))),
  };
}

/** All parameters of the study, and of `sizes` those that it trains. */
function settingsOf(params: Params) {
  const { study, download, convert, split, tokenize, train, evaluate, generate, fit, report, sizes } = params;
  const trained = Object.fromEntries(train.sizes.map((name) => [name, sizes[name]]));
  const used = Object.fromEntries(train.tokenizers.map((name) => [name, tokenize[name]]));
  return {
    study,
    download,
    convert,
    split,
    tokenize: used,
    train: { ...train },
    evaluate,
    generate,
    fit,
    report,
    sizes: trained,
  };
}

/** How the results were made. A table of runs made by hand may have durations; that of the pipeline has none. */
function provenanceOf(commit: Commit | undefined, software: string, engine: string, results: readonly RunRow[]) {
  const seconds = results.reduce((sum, row) => sum + (typeof row.seconds === 'number' ? row.seconds : 0), 0);
  const changes = commit?.isDirty ? ', with changes that are not committed' : '';
  return {
    software,
    commit: commit ? `${commit.hash}${changes}` : 'not known: no git repository, or a shallow clone',
    ...(commit && { 'date of the commit': commit.date }),
    ...(engine !== undefined && { engine }),
    'time of training': seconds > 0 ? `${formatDuration(seconds)} in sum of all runs` : 'npm run times',
    'times of all stages': 'npx repro log',
  };
}

/** Sums up samples; undefined if there are none. */
function validityOf(draws: readonly DrawMetrics[]): Validity | undefined {
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
    abc: await readText(`${path}.abc`),
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
