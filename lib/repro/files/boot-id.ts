/** Identifies the time since the machine was started. */
import { readFileSync } from 'node:fs';
import { platform, systemOutput } from './platform.ts';

let known: { id: string | undefined } | undefined;

/** The kernel's name for this start of the machine, letters, digits and hyphens; undefined where there is none. */
export function bootId(): string | undefined {
  known ??= { id: platform() === 'linux' ? linuxBootId() : sysctlBootId() };
  return known.id;
}

function linuxBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * macOS has a UUID for each start. Its time of the start (`{ sec = 1764424000, usec = 0 } Sat Nov 29 …`) is there on
 * the BSDs too, but changes when the clock is set, so it comes second.
 */
function sysctlBootId(): string | undefined {
  const uuid = systemOutput('sysctl', '-n', 'kern.bootsessionuuid');
  if (uuid !== undefined && /^[\w-]+$/.test(uuid)) return uuid;
  const [, seconds] = /\bsec = (\d+)/.exec(systemOutput('sysctl', '-n', 'kern.boottime') ?? '') ?? [];
  return seconds === undefined ? undefined : `boot-${seconds}`;
}
