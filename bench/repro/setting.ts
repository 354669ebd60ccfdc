/** What a benchmark of repro is run with: sizes, repro as the sources have it, wireit where it is installed, a folder. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { node } from './race.ts';

export interface Setting {
  /** repro.js */
  repro: string;
  /** wireit's program, where it is installed. */
  wireit?: string;
  rounds: number;
  /** Cuts all sizes. */
  quick: boolean;
  /** How many commands at once. */
  jobs: number;
  /** Removed at the end. */
  scratch: string;
}

/** Milliseconds until files count as settled, so that they can be certified. */
const SETTLING = 3_000;

/** As `npm run` starts it, without npm's own time. */
export function runWireit({ wireit, jobs }: Setting, folder: string): void {
  node(folder, [wireit!], {
    npm_package_json: join(folder, 'package.json'),
    npm_lifecycle_event: 'all',
    npm_config_user_agent: 'npm/10.0.0 node/v20.0.0',
    WIREIT_LOGGER: 'simple',
    WIREIT_PARALLEL: String(jobs),
  });
}

export function makeFolder({ scratch }: Setting, name: string, make: (folder: string) => void): string {
  const folder = join(scratch, name);
  if (!existsSync(folder)) mkdirSync(folder);
  make(folder);
  return folder;
}

/** A folder in which repro, and wireit where it is asked for, have run once and everything is settled. */
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
