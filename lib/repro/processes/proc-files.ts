/** Processes from /proc, on Linux. */
import { readdirSync, readFileSync } from 'node:fs';

/** Bytes a page. Linux counts resident memory in pages of this size on nearly every machine that runs Node. */
const PAGE = 4096;

/** The start of a process in clock ticks after the boot; undefined if it has ended. */
export function startTimeInProc(pid: number): string | undefined {
  const fields = statFields(pid);
  return fields === undefined || isDead(fields) ? undefined : fields[19];
}

/** Whether a process of the group runs. */
export function isGroupInProc(group: number): boolean {
  return processes().some((fields) => Number(fields[2]) === group && !isDead(fields));
}

/** Resident memory in bytes, by process group. */
export function memoryInProc(): Map<number, number> {
  const sums = new Map<number, number>();
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
