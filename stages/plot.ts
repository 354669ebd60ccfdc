/** RUNS.csv, SCALING.json and CURVES/*.csv → PLOTS: each plot as a Vega-Lite specification, SVG and PNG. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  architecturesPlot,
  type CurveRow,
  readCurves,
  renderPlot,
  scalingPlot,
  trainingPlot,
} from '../lib/plots/index.ts';
import { readRuns, type Study } from '../lib/scaling/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'plot',
  does: 'Draws the scaling curves, the architectures compared, and the training curves into PLOTS.',
  paths: ['RUNS.csv', 'SCALING.json', 'CURVES', 'PLOTS'],
  async run({ paths: [runs, scaling, curvesDir, plots], progress }) {
    const rows = readRuns(await readFile(runs, 'utf8'), runs);
    const study: Study = JSON.parse(await readFile(scaling, 'utf8'));
    const curves: CurveRow[] = [];
    for (const { run } of rows) {
      const file = join(curvesDir, `${run}.csv`);
      curves.push(...readCurves(await readFile(file, 'utf8'), file));
    }
    const drawn = {
      scaling: scalingPlot(rows, study),
      architectures: architecturesPlot(rows, study),
      training: trainingPlot(curves, rows),
    };
    for (const [i, [name, spec]] of Object.entries(drawn).entries()) {
      progress.update({ done: i, total: 3, unit: 'plots', text: name });
      await renderPlot(spec, join(plots, name));
    }
    return { plots: Object.keys(drawn) };
  },
});
