/** Times the first run of stages whose command is `true`, and compares it with spawning `true` without a runner. */
import { nothings } from './pipelines.ts';
import { forget, node, printTable, race } from './race.ts';
import { makeFolder, runWireit, type Setting } from './setting.ts';

/** Prints the table of 1,000 stages (20 with `quick`). */
export function trues(setting: Setting): void {
  const { repro, wireit, rounds, quick, jobs } = setting;
  const count = quick ? 20 : 1000;
  const folder = makeFolder(setting, 'true', (path) => nothings(path, count));
  const spawning = (program: string, args: string[]) => `
    const { spawn } = require('child_process');
    let left = ${count};
    const next = () => { if (left-- > 0) spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { stdio: 'ignore' }).on('close', next); };
    for (let i = 0; i < ${jobs}; i++) next();`;
  const baseline = `spawning true ${count} times`;
  const medians = race(
    [
      { name: baseline, run: () => node(folder, ['-e', spawning('true', [])]) },
      { name: 'spawning sh -c true', run: () => node(folder, ['-e', spawning('sh', ['-c', 'true'])]) },
      {
        name: 'repro',
        prepare: () => forget(folder, '.repro', 'dvc-like.lock'),
        run: () => node(folder, [repro, '-q', '-j', String(jobs)]),
      },
      ...(wireit
        ? [{ name: 'wireit', prepare: () => forget(folder, '.wireit'), run: () => runWireit(setting, folder) }]
        : []),
    ],
    rounds,
  );
  console.log(`## ${count} stages of true, first run, ${jobs} at once\n`);
  printTable(medians, baseline);
}
