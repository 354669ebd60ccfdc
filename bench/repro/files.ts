/** Times one stage that reads a folder of 100,000 files: nothing to do, the first run, and one more file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manyFiles } from './pipelines.ts';
import { forget, node, printTable, race, used } from './race.ts';
import { makeFolder, runWireit, type Setting, settledFolder } from './setting.ts';

/** Prints the time and memory of a call with nothing to do, compared with an lstat of every file. */
export async function nothingToDo(setting: Setting): Promise<void> {
  const { repro, wireit, rounds } = setting;
  const count = countOf(setting);
  let paths: string[] = [];
  const folder = await settledFolder(
    setting,
    'files',
    (path) => (paths = manyFiles(path, count)),
    wireit !== undefined,
  );
  const list = join(setting.scratch, 'paths.json');
  writeFileSync(list, JSON.stringify(paths));
  const baseline = `${count} × lstatSync`;
  const lstats = `const fs = require('fs'); for (const path of JSON.parse(fs.readFileSync(${JSON.stringify(list)}))) fs.lstatSync(path)`;
  const medians = race(
    [
      { name: baseline, run: () => node(folder, ['-e', lstats]) },
      { name: 'repro', run: () => node(folder, [repro]) },
      {
        name: 'repro, every file checked',
        prepare: () => forget(folder, '.repro/fresh'),
        run: () => node(folder, [repro]),
      },
      ...(wireit ? [{ name: 'wireit', run: () => runWireit(setting, folder) }] : []),
    ],
    rounds,
  );
  console.log(`## Nothing to do, ${count} input files\n`);
  printTable(medians, baseline);
  const stamped = used(folder, [repro]).peak;
  forget(folder, '.repro/fresh');
  console.log(
    `Peak memory: ${stamped.toFixed(0)} MiB; with every file checked, ${used(folder, [repro]).peak.toFixed(0)} MiB.\n`,
  );
}

/** Prints the time and memory of the first run. */
export function firstRun(setting: Setting): void {
  const count = countOf(setting);
  const folder = makeFolder(setting, 'files', (path) => manyFiles(path, count));
  const times: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < setting.rounds; round++) {
    forget(folder, '.repro', 'dvc-like.lock', 'out');
    const started = performance.now();
    peaks.push(used(folder, [setting.repro, '-q']).peak);
    times.push(performance.now() - started);
  }
  console.log(`## First run, ${count} input files\n`);
  console.log(`${median(times).toFixed(0)} ms; peak memory ${Math.max(...peaks).toFixed(0)} MiB at most.\n`);
}

/** Adds one file. Prints the time of the run, and the number of files and bytes that it hashed. */
export async function oneMore(setting: Setting): Promise<void> {
  const { repro, rounds } = setting;
  const count = countOf(setting);
  const folder = await settledFolder(setting, 'files', (path) => manyFiles(path, count), false);
  let added = 0;
  const add = () => writeFileSync(join(folder, `in/0/added-${added++}`), `${added}\n`);
  const medians = race(
    [
      { name: 'nothing to do', run: () => node(folder, [repro]) },
      { name: 'the stage run again', run: () => node(folder, [repro, '-f']) },
      { name: 'one file added, and the stage run', prepare: add, run: () => node(folder, [repro]) },
    ],
    rounds,
  );
  console.log(`## One file added to ${count}\n`);
  printTable(medians, 'the stage run again');
  add();
  const { output, read } = used(folder, [repro, '--json']);
  const done = output.split('\n').find((line) => line.includes('"event":"done"'))!;
  const { files, bytes } = JSON.parse(done).hashed;
  const again = used(folder, [repro, '-f', '--json']).read;
  console.log(
    `Hashed: ${files} files, ${bytes} bytes (the added file and the output). The process read ${mb(read)} in all, and ${mb(again)} when the stage ran again without a new file.\n`,
  );
}

const countOf = ({ quick }: Setting) => (quick ? 2_000 : 100_000);
const mb = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1];
