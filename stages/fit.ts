/**
 * Fits L(N) = a·N^(−α) + c to the runs of each tokenizer and architecture. OUT.json holds the fits with intervals, or
 * the reason why a fit was refused.
 */
import { readFile } from 'node:fs/promises';
import { fitStudy, readRuns } from '../lib/scaling/index.ts';
import { stage, writeJson } from './stage.ts';

await stage({
  name: 'fit',
  description:
    'Fits a scaling law to the runs of every tokenizer and architecture in RUNS.csv, a table like outputs/results.csv.',
  paths: ['RUNS.csv', 'OUT.json'],
  async run({ paths: [runs, out], params }) {
    const rows = readRuns(await readFile(runs, 'utf8'), runs);
    const study = fitStudy(rows, params.fit);
    await writeJson(out, study);
    return study;
  },
});
