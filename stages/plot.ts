/**
 * Draws the plots of the study: the scaling laws from RUNS.csv and SCALING.json, the loss curves from CURVES, and the
 * data from the metrics of split and tokenize. Each plot becomes a Vega-Lite specification, an SVG and a PNG in PLOTS.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  architecturesPlot,
  type CurveRow,
  readCurves,
  renderPlot,
  scalingPlot,
  splitPlot,
  type TokenCounts,
  tokensPlot,
  trainingPlot,
} from '../lib/plots/index.ts';
import { readRuns, type Study } from '../lib/scaling/index.ts';
import { readJson, stage } from './stage.ts';

await stage({
  name: 'plot',
  description:
    'Draws the scaling laws, a comparison of architectures, the loss curves, the splits and the tokens into PLOTS.',
  paths: ['RUNS.csv', 'SCALING.json', 'CURVES', 'SPLIT.json', 'TOKENIZE', 'PLOTS'],
  async run({ paths: [runs, scaling, curvesDir, split, tokenizeDir, plots], progress }) {
    const rows = readRuns(await readFile(runs, 'utf8'), runs);
    const study: Study = await readJson(scaling);
    const curves: CurveRow[] = [];
    for (const { run } of rows) {
      const file = join(curvesDir, `${run}.csv`);
      curves.push(...readCurves(await readFile(file, 'utf8'), file));
    }
    // TOKENIZE may still have metrics of an earlier study's tokenizers.
    const tokenizers = new Set(rows.map(({ tokenizer }) => `${tokenizer}.json`));
    const counts: TokenCounts[] = [];
    for (const name of (await readdir(tokenizeDir)).sort())
      if (tokenizers.has(name)) counts.push(await readJson(join(tokenizeDir, name)));
    const drawn = {
      scaling: scalingPlot(rows, study),
      architectures: architecturesPlot(rows, study),
      training: trainingPlot(curves, rows),
      split: splitPlot(await readJson(split)),
      tokens: tokensPlot(counts),
    };
    const total = Object.keys(drawn).length;
    for (const [i, [name, spec]] of Object.entries(drawn).entries()) {
      progress.update({ done: i, total, unit: 'plots', text: name });
      await renderPlot(spec, join(plots, name));
    }
    return { plots: Object.keys(drawn) };
  },
});
