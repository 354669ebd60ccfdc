/**
 * Starts a shell in a session of its own, with descriptors of its own, and hands on what it says until it and its process
 * group have ended. The shell waits at a gate until its group has been noted down (groups.ts): there is no moment at which a
 * kill of repro could leave a command running that nobody knows of. If repro dies first, the gate closes and it ends.
 *
 *   fd 1, 2  one pipe, so that what is said stays in order     fd 3  progress     fd 4  the gate
 *
 * launch-by-node.ts is the plain way. The addon native/spawn does the same beside the main thread, which it holds up for
 * 0.05 ms a command; Node forks, which holds everything up for 0.8 ms in a process of 50 MB and for 2.8 ms in one of 155 MB.
 * Which of the two was used shows nowhere but in the time; REPRO_SPAWN=node forces the former.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchByNode } from './launch-by-node.ts';
import type { Launch, Launched, LaunchListener } from './launched.ts';

/** Waits for a line on the gate, and leaves the command without it. */
const GATE = 'read -r _ <&4 && exec 4<&- || exit 125\n';

/** Tells the listener in a later turn of the event loop. Throws an Error when there are no descriptors or threads left. */
export function launchShell(launch: Launch, listener: LaunchListener): Launched {
  for (const text of [launch.script, launch.cwd, ...Object.values(launch.env)])
    if (text.includes('\0')) throw new Error('a NUL character cannot be part of a command or its environment');
  addon ??= loadAddon();
  const gated = { ...launch, script: GATE + launch.script, env: { ...launch.env, REPRO_PROGRESS_FD: '3' } };
  return addon ? launchByAddon(addon, gated, listener) : launchByNode(gated, listener);
}

/** See native/spawn/spawn.cpp. Each argument, and each NAME=value of `env`, is ended by NUL. */
interface Addon {
  spawn(
    file: string,
    args: string,
    env: string,
    cwd: string,
    notes: number,
    report: (what: 'output' | 'progress' | 'exit' | 'signal' | 'error', value: number | Buffer) => void,
  ): Group;
  numberOf(group: Group): number;
  signal(group: Group, signal: number): void;
}

/** Opaque. */
type Group = object;

let addon: Addon | false | undefined;

/**
 * false where it was not built, or is of sources that did not have `numberOf`. It is not held against its sources as the
 * other addons are (native/built.mjs): nothing that is recorded rests on it.
 */
function loadAddon(): Addon | false {
  if (process.env.REPRO_SPAWN === 'node') return false;
  const own = fileURLToPath(import.meta.url);
  // This module may be a source, or part of a bundle at any depth below the folder that holds native/.
  for (let folder = dirname(own); folder !== dirname(folder); folder = dirname(folder)) {
    const native = join(folder, 'native/spawn');
    if (!existsSync(join(native, 'binding.gyp'))) continue;
    try {
      const loaded = createRequire(own)('node-gyp-build')(native) as Partial<Addon>;
      return loaded.numberOf ? (loaded as Addon) : false;
    } catch {
      return false;
    }
  }
  return false;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function launchByAddon(
  { spawn, numberOf, signal }: Addon,
  { script, cwd, env, notes }: Launch,
  listener: LaunchListener,
): Launched {
  const environment = Object.entries(env)
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
  const group = spawn('/bin/sh', `/bin/sh\0-c\0${script}\0`, environment, cwd, notes, (what, value) => {
    if (what === 'output' || what === 'progress') listener[what](value as Buffer);
    else if (what === 'exit') listener.ended(Number(value), undefined);
    else if (what === 'signal') listener.ended(undefined, signalNames.get(Number(value)) as NodeJS.Signals);
    else listener.failed(String(value));
  });
  return {
    get group() {
      return numberOf(group) || undefined;
    },
    kill: (name) => signal(group, constants.signals[name]),
  };
}
