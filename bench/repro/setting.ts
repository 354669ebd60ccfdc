/** The settings that all benchmarks of repro share, and the folders they run in. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { node } from './race.ts';

/** Settings of a benchmark run. */
export interface Setting {
  /** Path of the bundled repro.js. */
  repro: string;
  /** Path of wireit's program, if it is installed. */
  wireit?: string;
  /** Timed runs of each contender. */
  rounds: number;
  /** Whether all sizes are reduced. */
  quick: boolean;
  /** Number of commands that run at the same time. */
  jobs: number;
  /** Folder for all pipelines; removed at the end. */
  scratch: string;
}

/** Milliseconds until file times count as settled, so that repro writes a fresh stamp. */
const SETTLING = 3_000;

/** Runs wireit as `npm run` does, without the time that npm itself takes. */
export function runWireit({ wireit, jobs }: Setting, folder: string): void {
  node(folder, [wireit!], {
    npm_package_json: join(folder, 'package.json'),
    npm_lifecycle_event: 'all',
    npm_config_user_agent: 'npm/10.0.0 node/v20.0.0',
    WIREIT_LOGGER: 'simple',
    WIREIT_PARALLEL: String(jobs),
  });
}

/** Makes a folder in the scratch folder and fills it with `make`. */
export function makeFolder({ scratch }: Setting, name: string, make: (folder: string) => void): string {
  const folder = join(scratch, name);
  if (!existsSync(folder)) mkdirSync(folder);
  make(folder);
  return folder;
}

/** Makes a folder in which repro (and wireit, if `withWireit`) has run once and all file times have settled. */
export async function settledFolder(
  setting: Setting,
  name: string,
  make: (folder: string) => void,
  withWireit: boolean,
): Promise<string> {
  const folder = makeFolder(setting, name, make);
  if (withWireit) runWireit(setting, folder);
  node(folder, [setting.repro, '-q']);
  await new Promise((done) => setTimeout(done, SETTLING));
  node(folder, [setting.repro, '-q']);
  return folder;
}
