/** Identifies the time since the machine was started. */
import { readFileSync } from 'node:fs';

/** The kernel's random number for this start of the machine; undefined where there is none (macOS). */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
