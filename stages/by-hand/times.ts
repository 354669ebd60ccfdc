/**
 * Prints how long each run of the study took on this machine, its speed and its memory: `npm run times`. It is
 * not a stage of the pipeline, because these figures differ from run to run. --csv writes the table of runs with them in three columns,
 * which fit.ts and report.ts show if they are given that table.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { csvFormat, csvParse } from 'd3-dsv';
import { formatDuration } from '../../lib/report/index.ts';
import { shareOf } from '../parts/budgets.ts';
import { checkTable, readJson, readText, StageError, writeTable } from '../parts/stage.ts';
import { readTimes, type Times } from '../parts/times.ts';
import { program } from './program.ts';

const RUNS = 'outputs/results.csv';
const METRICS = 'outputs/metrics/train';
const TIMES = 'outputs/times';
const COLUMNS = ['seconds', 'tokens_per_second', 'peak_memory_mb'] as const;

await program({
  name: 'times',
  usage: '',
  description: `Prints how long the runs of ${RUNS} took on this machine, from ${TIMES}.`,
  arguments: [0, 0],
  options: { csv: `where to write ${RUNS} with the columns ${COLUMNS.join(', ')}` },
  async run({ options: { csv } }) {
    if (!existsSync(RUNS)) throw new StageError(`there is no ${RUNS}; npx repro makes it`);
    const rows = csvParse(await readText(RUNS));
    if (!rows.columns.includes('run'))
      throw new StageError(`${RUNS} has no column run; npx repro results makes it again`);
    const columns = [...new Set([...rows.columns, ...COLUMNS])];
    if (csv !== undefined) await checkTable(csv, csvFormat([], columns));
    const times = new Map<string, Times>();
    for (const { run, branch_of } of rows) {
      const metrics = join(METRICS, `${run}.json`);
      if (branch_of || !existsSync(metrics)) continue;
      const own = await readTimes(join(TIMES, `${run}.json`), await readJson(metrics));
      if (own !== undefined) times.set(run, own);
    }
    print(times, rows.filter(({ branch_of }) => !branch_of).length);
    if (csv !== undefined) {
      const cells = rows.map((row): Record<string, unknown> => ({ ...row, ...columnsOf(row, times) }));
      await writeTable(csv, csvFormat(cells, columns));
    }
  },
});

/** The three columns of a row. Seconds and memory are those of the whole run, which trained all of its budgets. */
function columnsOf({ run, branch_of }: Record<string, string>, times: ReadonlyMap<string, Times>) {
  const own = times.get(branch_of || run);
  if (own === undefined) return {};
  return branch_of ? { tokens_per_second: own.budgets[shareOf(run)]?.tokens_per_second } : own;
}

function print(times: ReadonlyMap<string, Times>, runs: number): void {
  const table = [
    ['run', 'time', 'tokens/s', 'memory (MB)', 'engine'],
    ...[...times].map(([run, each]) => [
      run,
      formatDuration(each.seconds),
      each.tokens_per_second.toFixed(0),
      each.peak_memory_mb.toFixed(0),
      each.engine,
    ]),
  ];
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  const isNumber = (i: number) => i > 0 && i < 4;
  for (const row of table)
    console.log(
      row
        .map((cell, i) => (isNumber(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    );
  const sum = [...times.values()].reduce((total, { seconds }) => total + seconds, 0);
  console.log(`\n${times.size} of ${runs} runs were trained here, in ${formatDuration(sum)} in sum.`);
  if (times.size < runs)
    console.log('The others come from git or a cache. `npx repro log` lists what ran here, and when.');
}
