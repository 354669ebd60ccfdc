/**
 * The process groups that this repro's commands run in, noted down in a file of its own, so that none outlives repro by
 * much, whatever kills it: the reaper, a small shell beside it, ends what stands there when repro is gone; and should that
 * be killed too, the next repro does before it takes over a stage.
 *
 *   add GROUP START     before the command may begin (launch.ts)      START tells it from a later one of this number
 *   remove GROUP        when it has ended
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isGroupAlive, startOf } from './process-table.ts';

const SUFFIX = '.groups';

const REAPER = `
while read -r _; do :; done
groups=' '
while read -r word group _; do
  if [ "$word" = add ]; then groups="$groups$group "; continue; fi
  rest=' '
  for other in $groups; do [ "$other" = "$group" ] || rest="$rest$other "; done
  groups=$rest
done < "$0"
for group in $groups; do kill -9 "-$group"; done
`;

export class ProcessGroups {
  readonly #file: string;
  #notes: number | undefined;
  #reaper: ChildProcess | undefined;

  /** `folder` exists; it is shared by all repros that may take over each other's stages. */
  constructor(folder: string) {
    this.#file = join(folder, `${process.pid}-${startOf(process.pid) ?? ''}${SUFFIX}`);
  }

  /** A descriptor to append notes to, each in one piece. */
  get notes(): number {
    if (this.#notes === undefined) {
      this.#notes = openSync(this.#file, 'a');
      // Its input ends when repro does.
      this.#reaper = spawn('/bin/sh', ['-c', REAPER, this.#file], {
        detached: true,
        cwd: '/',
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      this.#reaper.on('error', () => {});
      this.#reaper.unref();
    }
    return this.#notes;
  }

  close(): void {
    if (this.#notes === undefined) return;
    closeSync(this.#notes);
    rmSync(this.#file, { force: true });
    this.#reaper?.stdin?.end();
  }
}

/** Ends what dead repros left running, and returns when it is gone: it must not write into what comes next. */
export function endOrphans(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => name.endsWith(SUFFIX))) {
    const [pid, started] = name.slice(0, -SUFFIX.length).split('-');
    if (startOf(Number(pid)) === started) continue;
    const file = join(folder, name);
    for (const [group, start] of running(file)) endGroup(group, start);
    rmSync(file, { force: true });
  }
}

/** What was added and not removed: when each group started. */
function running(file: string): Map<number, string> {
  const groups = new Map<number, string>();
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {} // Another repro has seen to it.
  for (const line of text.split('\n')) {
    const [word, group, start] = line.split(' ');
    if (word === 'add') groups.set(Number(group), start);
    else groups.delete(Number(group));
  }
  return groups;
}

function endGroup(group: number, start: string): void {
  const leader = startOf(group);
  // The number has gone to a stranger.
  if (leader !== undefined && leader !== start) return;
  const until = performance.now() + 5_000;
  const wait = new Int32Array(new SharedArrayBuffer(4));
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    return; // No such group: that is what was wanted.
  }
  while (performance.now() < until && isGroupAlive(group)) Atomics.wait(wait, 0, 0, 2);
}
