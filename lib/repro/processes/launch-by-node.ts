/** What launch.ts says, in Node's own way: the reference for the addon, and what is used where that was not built. */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import type { Launch, Launched, LaunchListener } from './launched.ts';
import { startOf } from './process-table.ts';

/** Milliseconds that output may stay open after the end, in the hands of what left the group. */
const LINGER = 500;

export function launchByNode({ script, cwd, env, notes }: Launch, listener: LaunchListener): Launched {
  let group: number | undefined;
  let wanted: NodeJS.Signals | undefined;
  const kill = (signal: NodeJS.Signals) => {
    if (group === undefined) wanted = signal;
    else killGroup(group, signal);
  };
  const child = spawn('/bin/sh', ['-c', `exec 2>&1\n${script}`], {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore', 'pipe', 'pipe'],
  });
  // Without a descriptor left, Node makes none of the streams.
  const [, output, , progress, gate] = child.stdio ?? [];
  const streams = [output, progress].map((stream) => (stream as Readable) ?? Readable.from([]));
  streams[0].on('data', listener.output).on('error', () => {});
  streams[1].on('data', listener.progress).on('error', () => {});
  gate?.on('error', () => {});
  child.on('error', (error) => listener.failed(error.message));
  child.on('spawn', () => {
    group = child.pid!;
    writeSync(notes, `add ${group} ${startOf(group)}\n`);
    if (wanted) kill(wanted);
    (gate as Writable).end('\n');
  });
  child.on('exit', (exit, signal) => {
    // What it left behind in its group ends with it.
    kill('SIGKILL');
    const lingering = setTimeout(() => {
      for (const stream of streams) stream.destroy();
    }, LINGER);
    void Promise.all(streams.map(closed)).then(() => {
      clearTimeout(lingering);
      writeSync(notes, `remove ${group}\n`);
      group = undefined;
      listener.ended(exit ?? undefined, signal ?? undefined);
    });
  });
  return {
    get group() {
      return group;
    },
    kill,
  };
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended.
  }
}
