/**
 * Start times, groups and memory of processes: from /proc on Linux (proc-files.ts), from ps elsewhere (ps-program.ts).
 */
import { platform } from '../files/index.ts';
import { isGroupInProc, memoryInProc, startTimeInProc } from './proc-files.ts';
import { isGroupInPs, memoryInPs, startTimeInPs } from './ps-program.ts';

/** Seconds between the start of a process and the time that was noted for it. */
const NOTED_LATE = 2;

/**
 * The start time of a process, which distinguishes it from a later process with the same id. Undefined if the process
 * does not exist, or has ended and has not been reaped by its parent yet. Where not even ps can be started, it is the
 * word "alive".
 */
export function startTimeOf(pid: number): string | undefined {
  if (!doesExist(pid)) return undefined;
  return platform() === 'linux' ? startTimeInProc(pid) : startTimeInPs(pid);
}

/**
 * The start time to record for a process that has just been started. Outside Linux it is the current time, because ps
 * takes 10 ms.
 */
export function startTimeOfNew(pid: number): string {
  return platform() === 'linux' ? (startTimeInProc(pid) ?? 'alive') : String(Math.floor(Date.now() / 1000));
}

/** Whether the time that was noted for a new process can be the start time of a process with its id. */
export function isStartOf(noted: string, started: string): boolean {
  return noted === started || (platform() !== 'linux' && Math.abs(Number(noted) - Number(started)) <= NOTED_LATE);
}

/**
 * Whether a process of the group is running. Processes that have ended but are not reaped yet (zombies) do not count.
 */
export function isGroupAlive(group: number): boolean {
  if (!doesExist(-group)) return false;
  return platform() === 'linux' ? isGroupInProc(group) : isGroupInPs(group);
}

/** Resident memory in bytes, by process group. */
export async function memoryOfGroups(): Promise<Map<number, number>> {
  return platform() === 'linux' ? memoryInProc() : memoryInPs();
}

/** Whether there is a process or, for a negative number, a group. It may have ended and not be reaped yet. */
function doesExist(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
