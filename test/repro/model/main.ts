/**
 * Runs many random pipelines against the reference.
 *
 *     npm run test:model -- [--pipelines 100] [--seed 1] [--steps 20] [--jobs 1] [--repro FILE] [--no-kills] [--keep]
 *     npm run test:model -- --pipelines 1 --seed 17 [--steps 12] [--skip 3,5] --log     repeats one
 *
 * It tests lib/repro as it is now, or the bundle that --repro names. A failing seed is printed with the command that
 * repeats it. Steps after the failure are cut, and others are left out as long as it still fails (not with --no-shrink).
 * A failure after a kill may not come back, because the moment of the kill decides.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { TestProject } from '../project.ts';
import { type ModelOptions, type Report, runModel } from './model-run.ts';

const { values } = parseArgs({
  options: {
    pipelines: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '20' },
    skip: { type: 'string', default: '' },
    jobs: { type: 'string', default: '1' },
    repro: { type: 'string' },
    'no-kills': { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed);
const common = {
  repro: values.repro === undefined ? await bundle() : resolve(values.repro),
  kills: !values['no-kills'],
  keep: values.keep,
};
const totals = { pipelines: 0, calls: 0, failures: 0, kills: {} as Counts, verdicts: {} as Counts };
let next = first;

/** Bundles lib/repro as it is now. A later edit does not change the bundle. */
async function bundle(): Promise<string> {
  const made = new TestProject({});
  made.dispose();
  return made.bundle();
}

/** Numbers by what they count. */
interface Counts {
  [what: string]: number;
}

function add(sums: Counts, counts: Counts): void {
  for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
}

/** Takes one seed after the other. */
async function work(): Promise<void> {
  while (next < first + Number(values.pipelines)) {
    const seed = next++;
    const skip = new Set(values.skip.split(',').filter(Boolean).map(Number));
    const options: ModelOptions = { ...common, seed, steps: Number(values.steps), skip };
    const report = await runModel(options);
    totals.pipelines++;
    totals.calls += report.calls;
    add(totals.kills, report.kills);
    add(totals.verdicts, report.verdicts);
    if (values.log) console.log(report.log.join('\n'));
    if (report.failure !== undefined) {
      totals.failures++;
      await explain(options, report);
    }
    if (totals.pipelines % 20 === 0) console.log(JSON.stringify(totals));
  }
}

/** Prints a failure with the shortest list of steps that still shows it. */
async function explain(options: ModelOptions, report: Report): Promise<void> {
  let shortest = report;
  const done = [...report.log].reverse().find((line) => /^ ?\d/.test(line));
  const steps = done === undefined ? 0 : Number.parseInt(done, 10) + 1;
  const skip = new Set(options.skip);
  for (let i = steps - 1; i >= 0 && !values['no-shrink'] && !values.log; i--) {
    if (skip.has(i)) continue;
    const shorter = await runModel({ ...options, keep: false, steps, skip: new Set([...skip, i]) });
    if (shorter.failure === undefined) continue;
    skip.add(i);
    shortest = shorter;
  }
  const left = skip.size > 0 ? ` --skip ${[...skip].sort((a, b) => a - b).join(',')}` : '';
  console.log(`\nSEED ${options.seed}: ${shortest.log.join('\n')}\n${shortest.failure}`);
  console.log(`repeat: npm run test:model -- --pipelines 1 --seed ${options.seed} --steps ${steps}${left} --log\n`);
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
console.log(JSON.stringify(totals));
process.exitCode = totals.failures > 0 ? 1 : 0;
