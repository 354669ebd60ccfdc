/** What the system says of processes, by /proc on Linux; elsewhere little is known, and nothing is made up. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts resident memory in pages of this size on nearly every machine that runs Node. */
const PAGE = 4096;

/**
 * What tells a process from a later one of the same number. Undefined when there is no such process (or only what is left
 * of it until its parent asks).
 */
export function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const fields = statFields(pid);
    return fields === undefined || isDead(fields) ? undefined : fields[19];
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : undefined;
  }
}

/** Killed processes that nobody has reaped yet still have their number, but do nothing any more. */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  return processes().some((fields) => Number(fields[2]) === group && !isDead(fields));
}

/** Resident bytes of all processes, by process group; empty where /proc is not Linux's. */
export function memoryOfGroups(): Map<number, number> {
  const sums = new Map<number, number>();
  if (process.platform !== 'linux') return sums;
  for (const fields of processes()) {
    const group = Number(fields[2]);
    sums.set(group, (sums.get(group) ?? 0) + Number(fields[21]) * PAGE);
  }
  return sums;
}

function processes(): string[][] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map((pid) => statFields(Number(pid))).filter((fields) => fields !== undefined);
}

function isDead([state]: readonly string[]): boolean {
  return state === 'Z' || state === 'X';
}

/** /proc/PID/stat from the state on: state, parent, process group, …; the 20th is when it started, the 22nd its pages. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before it stands in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
