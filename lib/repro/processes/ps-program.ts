/**
 * Processes from ps(1), on systems without /proc: macOS and the BSDs. Each column has an -o of its own, because POSIX
 * takes what follows "=" up to the end of the argument for a heading.
 */
import { systemOutput, systemOutputLater } from '../files/index.ts';

/**
 * The start of a process in seconds since 1970: `lstart` is "Sun Nov 29 13:56:54 2026". Undefined if it has ended, and
 * "alive" if ps cannot be started, as in some sandboxes.
 */
export function startTimeInPs(pid: number): string | undefined {
  const line = systemOutput('ps', '-o', 'stat=', '-o', 'lstart=', '-p', String(pid));
  if (line === undefined) return 'alive';
  const [, state, start] = /^(\S+)\s+(.+)$/.exec(line) ?? [];
  if (state === undefined || state.startsWith('Z')) return undefined;
  const time = Date.parse(`${start} UTC`);
  return Number.isNaN(time) ? 'alive' : String(time / 1000);
}

/** Whether a process of the group runs; true if ps cannot be started. */
export function isGroupInPs(group: number): boolean {
  const table = systemOutput('ps', '-A', '-o', 'pgid=', '-o', 'stat=');
  return table === undefined || rows(table).some(([id, state]) => Number(id) === group && !state.startsWith('Z'));
}

/** Resident memory in bytes, by process group; ps counts in KiB. */
export async function memoryInPs(): Promise<Map<number, number>> {
  const sums = new Map<number, number>();
  for (const [id, size] of rows(await systemOutputLater('ps', '-A', '-o', 'pgid=', '-o', 'rss=')))
    sums.set(Number(id), (sums.get(Number(id)) ?? 0) + Number(size) * 1024);
  return sums;
}

/** Lines with two columns. */
function rows(table: string): [string, string][] {
  return [...table.matchAll(/^\s*(\S+)\s+(\S+)/gm)].map(([, first, second]) => [first, second]);
}
