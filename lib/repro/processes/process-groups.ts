/**
 * Makes sure that no command outlives repro, however repro ends. Each repro notes the process groups of its commands in
 * a file. A small shell beside repro, the reaper, kills the groups in the file when repro is gone. If the reaper is
 * killed as well, the next repro kills them before it takes over a stage (`killOrphans`).
 *
 *   add GROUP START     before the command may begin (launch.ts); START is the start time, because ids are reused
 *   remove GROUP        when the command has ended
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openFile, readUtf8OrUndefined } from '../freshness/index.ts';
import { isGroupAlive, isStartOf, startTimeOf } from './process-table.ts';

const SUFFIX = '.groups';

/**
 * Waits for the end of its input, which comes when repro is gone. Then reads the file `$0` and kills what is left. The
 * file is opened first, because the project may be removed together with repro.
 */
const REAPER = `
exec 3< "$0"
while read -r _; do :; done
groups=' '
while read -r word group _; do
  if [ "$word" = add ]; then groups="$groups$group "; continue; fi
  rest=' '
  for other in $groups; do [ "$other" = "$group" ] || rest="$rest$other "; done
  groups=$rest
done <&3
for group in $groups; do kill -9 "-$group"; done
`;

/** The file with the process groups of this repro. File and reaper are made when `fd` is first used. */
export class ProcessGroups {
  readonly #file: string;
  #fd: number | undefined;
  #reaper: ChildProcess | undefined;

  /** `folder` must exist. All repros that may take over each other's stages share it. */
  constructor(folder: string) {
    this.#file = join(folder, `${process.pid}-${startTimeOf(process.pid) ?? ''}${SUFFIX}`);
  }

  /** File descriptor for appending lines. Each line must be written by one call. */
  get fd(): number {
    if (this.#fd === undefined) {
      this.#fd = openFile(this.#file, 'a');
      // Its input is a pipe from repro, which closes when repro ends.
      this.#reaper = spawn('/bin/sh', ['-c', REAPER, this.#file], {
        detached: true,
        cwd: '/',
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      this.#reaper.on('error', () => {});
      this.#reaper.unref();
    }
    return this.#fd;
  }

  /** Removes the file and lets the reaper end. To be called when all commands have ended. */
  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    rmSync(this.#file, { force: true });
    this.#reaper?.stdin?.end();
  }
}

/**
 * Kills the commands that dead repros left running. Returns when they are gone, so that they cannot write into the
 * files of stages that start next.
 *
 * @param folder the folder given to ProcessGroups
 */
export function killOrphans(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => name.endsWith(SUFFIX))) {
    const [pid, started] = name.slice(0, -SUFFIX.length).split('-');
    if (startTimeOf(Number(pid)) === started) continue;
    const file = join(folder, name);
    for (const [group, start] of runningGroups(file)) killGroup(group, start);
    rmSync(file, { force: true });
  }
}

/** The groups that were added and not removed, with their start times. */
function runningGroups(file: string): Map<number, string> {
  const groups = new Map<number, string>();
  // Another repro may have removed it.
  const text = readUtf8OrUndefined(file) ?? '';
  for (const line of text.split('\n')) {
    const [word, group, start] = line.split(' ');
    if (word === 'add') groups.set(Number(group), start);
    else groups.delete(Number(group));
  }
  return groups;
}

/** Kills a group and waits until it is gone, for at most 5 s. */
function killGroup(group: number, start: string): void {
  // kill(2) takes 0, -1 and positive numbers for other processes than a group.
  if (!Number.isSafeInteger(group) || group <= 1) return;
  const leader = startTimeOf(group);
  // The id has been reused by another process.
  if (leader !== undefined && !isStartOf(start, leader)) return;
  const until = performance.now() + 5_000;
  const wait = new Int32Array(new SharedArrayBuffer(4));
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    return; // There is no such group any more.
  }
  while (performance.now() < until && isGroupAlive(group)) Atomics.wait(wait, 0, 0, 2);
}
