/**
 * Compares the time of repro with bare node, lstat, hashing, spawning and wireit. Whole processes run in turn, in one
 * run. Prints ratios of medians.
 *
 *     sh bench/repro/install-wireit.sh FOLDER                # optional; without it, wireit's rows are left out
 *     npm run bench -- repro [--wireit FOLDER] [--quick] [--rounds 7] [--only no-op|files|first|added|large|true]
 *
 * `--quick` reduces all sizes. It only shows that the benchmark runs; its figures mean nothing. The output is Markdown.
 * The benchmark bundles repro from the current sources.
 *
 *   no-op   everything is up to date, with several numbers of stages
 *   files   everything is up to date, with one stage that reads a folder of 100,000 files
 *   first   the first run of that stage
 *   added   one more file in that folder
 *   large   a large output goes into the cache
 *   true    the first run of stages whose command is `true`
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleRunner } from '../../scripts/bundle-runner.mjs';
import { parseOptions } from '../../scripts/command-line.ts';
import { firstRun, nothingToDo, oneMore } from './files.ts';
import { large } from './large.ts';
import { noOp } from './no-op.ts';
import type { Setting } from './setting.ts';
import { trues } from './trues.ts';

const parts: { [name: string]: (setting: Setting) => void | Promise<void> } = {
  'no-op': noOp,
  files: nothingToDo,
  first: firstRun,
  added: oneMore,
  large,
  true: trues,
};

const { values: options } = parseOptions(import.meta.url, {
  options: {
    wireit: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
  },
});
if (options.only !== undefined && !Object.hasOwn(parts, options.only)) {
  console.error(`bench: unknown --only ${options.only}; known ones are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), 'bench-repro-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const bundle = 'node_modules/.cache/bench-repro'; // inside the project, so that the bundle finds its packages
await bundleRunner(bundle);
const wireit = options.wireit && resolve(options.wireit, 'node_modules/wireit/bin/wireit.js');
const setting: Setting = {
  repro: fileURLToPath(new URL(`../../${bundle}/repro.js`, import.meta.url)),
  wireit: wireit && existsSync(wireit) ? wireit : undefined,
  rounds: Number(options.rounds ?? (options.quick ? 3 : 7)),
  quick: options.quick,
  jobs: availableParallelism(),
  scratch,
};

console.log(
  `${cpus()[0].model}, ${setting.jobs} cores, Node ${process.versions.node}; medians of ${setting.rounds} rounds.\n`,
);
if (options.quick) console.log('--quick: the sizes are reduced, so the figures mean nothing.\n');
if (!setting.wireit)
  console.log(
    `wireit is ${options.wireit ? `not in ${options.wireit}` : 'left out'}: bench/repro/install-wireit.sh installs it.\n`,
  );
for (const [name, measure] of Object.entries(parts)) if ((options.only ?? name) === name) await measure(setting);
