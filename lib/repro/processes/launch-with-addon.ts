/** Starts a shell with the addon native/spawn, on a separate thread. launch.ts says how and why. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LaunchedShell, LaunchListener, LaunchRequest } from './launch-types.ts';

/** The exports of native/spawn/spawn.cpp. Each argument, and each NAME=value of `env`, ends with NUL. */
export interface SpawnAddon {
  spawn(
    file: string,
    args: string,
    env: string,
    cwd: string,
    groupsFd: number,
    report: (what: 'output' | 'progress' | 'exit' | 'signal' | 'error', value: number | Buffer) => void,
  ): Group;
  numberOf(group: Group): number;
  signal(group: Group, signal: number): void;
}

/** An opaque value of the addon. */
type Group = object;

/** false: it cannot be used. */
let loaded: SpawnAddon | false | undefined;

/** The addon; undefined if it has not been built or REPRO_SPAWN=node is set. It is loaded by the first call. */
export function addonOrUndefined(): SpawnAddon | undefined {
  loaded ??= process.env.REPRO_SPAWN === 'node' ? false : load();
  return loaded || undefined;
}

/**
 * A build from older sources without `numberOf` is not used. Builds of the other addons are compared with their sources
 * (native/built.mjs). This one is not, because no recorded result depends on it.
 */
function load(): SpawnAddon | false {
  const own = fileURLToPath(import.meta.url);
  // This module may be a source, or part of a bundle at any depth below the folder that contains native/.
  for (let folder = dirname(own); folder !== dirname(folder); folder = dirname(folder)) {
    const native = join(folder, 'native/spawn');
    if (!existsSync(join(native, 'binding.gyp'))) continue;
    try {
      const addon = createRequire(own)('node-gyp-build')(native) as Partial<SpawnAddon>;
      return addon.numberOf ? (addon as SpawnAddon) : false;
    } catch {
      return false;
    }
  }
  return false;
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * Starts a shell command.
 *
 * @throws Error if no thread can be started
 */
export function launchWithAddon(
  { spawn, numberOf, signal }: SpawnAddon,
  { script, args, cwd, env, groupsFd }: LaunchRequest,
  listener: LaunchListener,
): LaunchedShell {
  const environment = Object.entries(env)
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
  const group = spawn(
    '/bin/sh',
    `${['/bin/sh', '-c', script, '/bin/sh', ...args].join('\0')}\0`,
    environment,
    cwd,
    groupsFd,
    (what, value) => {
      if (what === 'output' || what === 'progress') listener[what](value as Buffer);
      else if (what === 'exit') listener.ended(Number(value), undefined);
      else if (what === 'signal') listener.ended(undefined, SIGNAL_NAMES.get(Number(value)) as NodeJS.Signals);
      else listener.failed(String(value));
    },
  );
  return {
    get group() {
      return numberOf(group) || undefined;
    },
    kill: (name) => signal(group, constants.signals[name]),
  };
}
