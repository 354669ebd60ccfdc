/**
 * Draws the plots of the study: the scaling laws from RUNS.csv and SCALING.json, the loss curves from CURVES, and the
 * data from the metrics of split and tokenize. Each plot becomes a Vega-Lite specification, an SVG, a PNG and a PDF in PLOTS.
 * PLOTS/narrow has the same plots for phones.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import {
  architecturesPlot,
  budgetsPlot,
  type CurveRow,
  computeOptimalPlot,
  type Layout,
  type PositionRow,
  plotSvg,
  positionsPlot,
  readCurves,
  readPositions,
  renderPlot,
  residualsPlot,
  scalingPlot,
  splitPlot,
  type TokenCounts,
  tokensPlot,
  trainingPlot,
} from '../lib/plots/index.ts';
import { readRuns, type Study, wholeRuns } from '../lib/scaling/index.ts';
import { readJson, readText, stage, writeJson, writeText } from './parts/stage.ts';

await stage({
  name: 'plot',
  description:
    'Draws the scaling laws, a comparison of architectures, the loss curves, the splits and the tokens into PLOTS.',
  paths: ['RUNS.csv', 'SCALING.json', 'CURVES', 'SPLIT.json', 'TOKENIZE', 'PLOTS'],
  flags: { positions: 'folder of the losses by position in the window, a CSV file a run' },
  optional: ['positions'],
  async run({ paths: [runs, scaling, curvesDir, split, tokenizeDir, plots], flags, progress }) {
    const rows = readRuns(await readText(runs), runs);
    const study: Study = await readJson(scaling);
    // Smaller budgets of a run are no models of their own: only the plots of budgets show them.
    const whole = wholeRuns(rows);
    const curves: CurveRow[] = [];
    for (const { run } of whole) {
      const file = join(curvesDir, `${run}.csv`);
      curves.push(...readCurves(await readText(file), file));
    }
    const positions: PositionRow[] = [];
    for (const { run } of flags.positions === undefined ? [] : whole) {
      const file = join(flags.positions, `${run}.csv`);
      positions.push(...readPositions(await readText(file), file));
    }
    // TOKENIZE may still have metrics of an earlier study's tokenizers.
    const tokenizers = new Set(rows.map(({ tokenizer }) => `${tokenizer}.json`));
    const counts: TokenCounts[] = [];
    for (const name of (await readdir(tokenizeDir)).sort())
      if (tokenizers.has(name)) counts.push(await readJson(join(tokenizeDir, name)));
    const files = await readJson(split);
    /** The plots by name; undefined for one that the runs do not support. */
    const specs = (layout: Layout) => ({
      scaling: scalingPlot(whole, study, layout),
      residuals: residualsPlot(whole, study, layout),
      budgets: budgetsPlot(rows, study, layout),
      'compute-optimal': computeOptimalPlot(rows, study, layout),
      architectures: architecturesPlot(whole, study, layout),
      training: trainingPlot(curves, whole, layout),
      positions: positionsPlot(positions, whole, layout),
      split: splitPlot(files, layout),
      tokens: tokensPlot(counts, layout),
    });
    const narrow: Record<string, TopLevelSpec | undefined> = specs('narrow');
    const drawn = Object.entries(specs('wide')).flatMap(([name, spec]) =>
      spec && !('concat' in spec && spec.concat.length === 0) ? [{ name, spec }] : [],
    );
    for (const [i, { name, spec }] of drawn.entries()) {
      progress.update({ done: i, total: drawn.length, unit: 'plots', text: name });
      await renderPlot(spec, join(plots, name));
      const phone = join(plots, 'narrow', name);
      await writeText(`${phone}.svg`, await plotSvg(narrow[name]!, `${name}-narrow`));
      await writeJson(`${phone}.vl.json`, narrow[name]!);
    }
    return { plots: drawn.map(({ name }) => name) };
  },
});
