/** Times a call with nothing to do, for several numbers of stages, with and without the fresh stamp (.repro/fresh). */
import { copies } from './pipelines.ts';
import { forget, node, printTable, race } from './race.ts';
import { runWireit, type Setting, settledFolder } from './setting.ts';

/** wireit's time grows faster than the number of its scripts, so larger sizes leave it out. */
const WIREIT_MAX_STAGES = 1000;

/** Prints a table for each number of stages, and the ratio between the two largest. */
export async function noOp(setting: Setting): Promise<void> {
  const { repro, wireit, rounds, quick } = setting;
  const sizes = quick ? [1, 20] : [1, 100, 1000, 3000];
  const full = new Map<number, number>();
  for (const count of sizes) {
    const withWireit = wireit !== undefined && count <= WIREIT_MAX_STAGES;
    const folder = await settledFolder(setting, `copies-${count}`, (path) => copies(path, count), withWireit);
    const medians = race(
      [
        { name: 'node -e 0', run: () => node(folder, ['-e', '0']) },
        { name: 'repro', run: () => node(folder, [repro]) },
        {
          name: 'repro, every stage checked',
          prepare: () => forget(folder, '.repro/fresh'),
          run: () => node(folder, [repro]),
        },
        ...(withWireit ? [{ name: 'wireit', run: () => runWireit(setting, folder) }] : []),
      ],
      rounds,
    );
    full.set(count, medians.get('repro')!);
    console.log(`## Nothing to do, stages: ${count}\n`);
    printTable(medians, 'node -e 0');
    forget(folder, '.');
  }
  const [most, before] = [sizes.at(-1)!, sizes.at(-2)!];
  console.log(`${most} stages take ${(full.get(most)! / full.get(before)!).toFixed(2)} × the time of ${before}.\n`);
}
