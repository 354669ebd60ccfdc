/**
 * Starts a shell in a session of its own, with descriptors of its own. The addon native/spawn does it in the same half
 * millisecond always; Node's child_process forks, which takes 1.2 ms in a small process and 7 ms in one of 160 MB, but is
 * there without a compiler. Which of the two was used shows nowhere but in the time; REPRO_SPAWN=node forces the latter.
 *
 *   fd 1, 2  one pipe, so that what is said stays in order     fd 3  progress     fd 4  the gate
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Launched {
  /** Of the shell, and of its process group. */
  pid: number;
  /** Ends when nothing that was started holds it any more. */
  output: Readable;
  /** Likewise. */
  progress: Readable;
  /** Lets the shell, which reads a line from descriptor 4, go on. */
  openGate(): void;
  onExit(listener: (exit: number | undefined, signal: NodeJS.Signals | undefined) => void): void;
}

/** Throws an Error when no process can be started. */
export function launchShell(script: string, cwd: string, env: NodeJS.ProcessEnv): Launched {
  addon ??= loadAddon();
  return addon ? launchByAddon(addon, script, cwd, env) : launchByNode(script, cwd, env);
}

interface Addon {
  pipe(): [read: number, write: number];
  /** Returns the process id; -1 stands for /dev/null. */
  spawn(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    descriptors: readonly number[],
    onExit: (exit: number | null, signal: number | null) => void,
  ): number;
}

let addon: Addon | false | undefined;

/** false where it was not built. */
function loadAddon(): Addon | false {
  if (process.env.REPRO_SPAWN === 'node') return false;
  const own = fileURLToPath(import.meta.url);
  // This module may be a source, or part of a bundle at any depth below the folder that holds native/.
  for (let folder = dirname(own); folder !== dirname(folder); folder = dirname(folder)) {
    const native = join(folder, 'native/spawn');
    if (!existsSync(join(native, 'binding.gyp'))) continue;
    try {
      return createRequire(own)('node-gyp-build')(native) as Addon;
    } catch {
      return false;
    }
  }
  return false;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function launchByAddon({ pipe, spawn }: Addon, script: string, cwd: string, env: NodeJS.ProcessEnv): Launched {
  const open: number[] = [];
  const newPipe = () => {
    const ends = pipe();
    open.push(...ends);
    return ends;
  };
  let listener: Parameters<Launched['onExit']>[0] | undefined;
  let pid: number;
  let ends: { output: number; progress: number; gate: number };
  try {
    const [output, theirOutput] = newPipe();
    const [progress, theirProgress] = newPipe();
    const [theirGate, gate] = newPipe();
    const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    pid = spawn(
      '/bin/sh',
      ['/bin/sh', '-c', script],
      environment,
      cwd,
      [-1, theirOutput, theirOutput, theirProgress, theirGate],
      (exit, signal) =>
        listener?.(exit ?? undefined, signal === null ? undefined : (signalNames.get(signal) as NodeJS.Signals)),
    );
    for (const descriptor of [theirOutput, theirProgress, theirGate]) closeSync(descriptor);
    ends = { output, progress, gate };
  } catch (error) {
    for (const descriptor of open) closeSync(descriptor);
    throw error;
  }
  return {
    pid,
    output: new Socket({ fd: ends.output, readable: true, writable: false }),
    progress: new Socket({ fd: ends.progress, readable: true, writable: false }),
    openGate: () => {
      try {
        writeSync(ends.gate, '\n');
      } catch {} // It was killed at the gate.
      closeSync(ends.gate);
    },
    onExit: (given) => {
      listener = given;
    },
  };
}

function launchByNode(script: string, cwd: string, env: NodeJS.ProcessEnv): Launched {
  const child: ChildProcess = spawn('/bin/sh', ['-c', `exec 2>&1\n${script}`], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore', 'pipe', 'pipe'],
  });
  child.on('error', () => {});
  if (child.pid === undefined) throw new Error('no process could be started');
  const gate = child.stdio[4] as Socket;
  gate.on('error', () => {});
  return {
    pid: child.pid,
    output: child.stdout!,
    progress: child.stdio[3] as Readable,
    openGate: () => gate.end('\n'),
    onExit: (listener) => {
      child.on('exit', (exit, signal) => listener(exit ?? undefined, signal ?? undefined));
    },
  };
}
