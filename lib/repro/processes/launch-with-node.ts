/**
 * Starts a shell with node:child_process. It is the reference for the addon (launch-with-addon.ts), and takes its place
 * where the addon has not been built. launch.ts says how the shell is started.
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import type { LaunchedShell, LaunchListener, LaunchRequest } from './launch-types.ts';
import { startTimeOfNew } from './process-table.ts';

/** Milliseconds that output is still read after the end, if a process that left the group keeps the pipe open. */
const LINGER = 500;

/** Starts a shell command. An error of the start is passed to `listener.failed`, or thrown. */
export function launchWithNode(
  { script, args, cwd, env, groupsFd }: LaunchRequest,
  listener: LaunchListener,
): LaunchedShell {
  let group: number | undefined;
  let pendingSignal: NodeJS.Signals | undefined;
  const kill = (signal: NodeJS.Signals) => {
    if (group === undefined) pendingSignal = signal;
    else killGroup(group, signal);
  };
  const child = spawn('/bin/sh', ['-c', `exec 2>&1\n${script}`, '/bin/sh', ...args], {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore', 'pipe', 'pipe'],
  });
  // If no file descriptors are left, Node makes none of the streams, and reports the error by an event.
  const [, output, , progress, gate] = child.stdio ?? [];
  const streams = [output, progress].map((stream) => (stream as Readable) ?? Readable.from([]));
  streams[0].on('data', listener.output).on('error', () => {});
  streams[1].on('data', listener.progress).on('error', () => {});
  gate?.on('error', () => {});
  child.on('error', (error) => listener.failed(error.message));
  child.on('spawn', () => {
    group = child.pid!;
    note(groupsFd, `add ${group} ${startTimeOfNew(group)}\n`);
    if (pendingSignal) kill(pendingSignal);
    (gate as Writable).end('\n');
  });
  child.on('exit', (exit, signal) => {
    // End the processes that it left in its group.
    kill('SIGKILL');
    const lingering = setTimeout(() => {
      for (const stream of streams) stream.destroy();
    }, LINGER);
    void Promise.all(streams.map(closed)).then(() => {
      clearTimeout(lingering);
      note(groupsFd, `remove ${group}\n`);
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

/** Notes a process group, see ProcessGroups. If the disk is full, only a kill of repro itself could leave it running. */
function note(groupsFd: number, line: string): void {
  try {
    writeSync(groupsFd, line);
  } catch {}
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
