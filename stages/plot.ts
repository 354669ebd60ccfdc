/** RUNS.csv, SCALING.json, CURVES/*.csv and split's metrics → PLOTS: each plot as a Vega-Lite specification, SVG and PNG. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  architecturesPlot,
  type CurveRow,
  readCurves,
  renderPlot,
  scalingPlot,
  splitPlot,
  trainingPlot,
} from '../lib/plots/index.ts';
import { readRuns, type Study } from '../lib/scaling/index.ts';
import { readJson, stage } from './stage.ts';

await stage({
  name: 'plot',
  does: 'Draws the scaling curves, the architectures compared, the training curves and the splits into PLOTS.',
  paths: ['RUNS.csv', 'SCALING.json', 'CURVES', 'SPLIT.json', 'PLOTS'],
  async run({ paths: [runs, scaling, curvesDir, split, plots], progress }) {
    const rows = readRuns(await readFile(runs, 'utf8'), runs);
    const study: Study = await readJson(scaling);
    const curves: CurveRow[] = [];
    for (const { run } of rows) {
      const file = join(curvesDir, `${run}.csv`);
      curves.push(...readCurves(await readFile(file, 'utf8'), file));
    }
    const drawn = {
      scaling: scalingPlot(rows, study),
      architectures: architecturesPlot(rows, study),
      training: trainingPlot(curves, rows),
      split: splitPlot(await readJson(split)),
    };
    const total = Object.keys(drawn).length;
    for (const [i, [name, spec]] of Object.entries(drawn).entries()) {
      progress.update({ done: i, total, unit: 'plots', text: name });
      await renderPlot(spec, join(plots, name));
    }
    return { plots: Object.keys(drawn) };
  },
});
