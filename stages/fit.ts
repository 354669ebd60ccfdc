/** RUNS.csv → OUT.json: L(N) = a·N^(−α) + c for each tokenizer and architecture, with intervals, or why there is none. */
import { readFile } from 'node:fs/promises';
import { fitStudy, readRuns } from '../lib/scaling/index.ts';
import { stage, writeJson } from './stage.ts';

await stage({
  name: 'fit',
  does: 'Fits a scaling law to every tokenizer and architecture in RUNS.csv, a table of runs as outputs/results.csv is one.',
  paths: ['RUNS.csv', 'OUT.json'],
  async run({ paths: [runs, out], params }) {
    const rows = readRuns(await readFile(runs, 'utf8'), runs);
    const study = fitStudy(rows, params.fit);
    await writeJson(out, study);
    return study;
  },
});
