/**
 * Start times, groups and memory of processes, from /proc on Linux. On other systems, only the existence of a process
 * is known.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Bytes a page. Linux counts resident memory in pages of this size on nearly every machine that runs Node. */
const PAGE = 4096;

/**
 * The start time of a process, which distinguishes it from a later process with the same id. Undefined if the process
 * does not exist, or has ended and has not been reaped by its parent yet. On other systems than Linux it is the word
 * "alive".
 */
export function startTimeOf(pid: number): string | undefined {
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

/**
 * Whether a process of the group is running. Processes that have ended but are not reaped yet (zombies) do not count.
 */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  return processes().some((fields) => Number(fields[2]) === group && !isDead(fields));
}

/** Resident memory in bytes, by process group; empty on other systems than Linux. */
export function memoryOfGroups(): Map<number, number> {
  const sums = new Map<number, number>();
  if (process.platform !== 'linux') return sums;
  for (const fields of processes()) {
    const group = Number(fields[2]);
    sums.set(group, (sums.get(group) ?? 0) + Number(fields[21]) * PAGE);
  }
  return sums;
}

/** The stat fields of every process. */
function processes(): string[][] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map((pid) => statFields(Number(pid))).filter((fields) => fields !== undefined);
}

/** Z: a zombie. X: dead. */
function isDead([state]: readonly string[]): boolean {
  return state === 'Z' || state === 'X';
}

/**
 * The fields of /proc/PID/stat from the third on: [0] state, [1] parent, [2] process group, [19] start time, [21]
 * resident pages.
 *
 * @see proc_pid_stat(5)
 */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before the state is in parentheses and may contain anything, parentheses too.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
