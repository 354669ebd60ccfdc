/**
 * Identifies the system that this process runs in. Process ids and LMDB's locks hold within one system only, so names
 * that other systems may see in a shared folder carry its id: another node of a cluster, or a container beside its host.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { bootId } from './boot-id.ts';

/** A running system with process ids of its own. */
export interface Host {
  /** The name for messages. */
  name: string;
  /** Eight hexadecimal digits: of the boot and the namespace of process ids. */
  id: string;
  /** The boot of the kernel; undefined where it has no id. */
  boot?: string;
  /** The installation, which stays the same after a reboot; undefined in containers, and where it has no id. */
  machine?: string;
}

/** The namespace of process ids of a system that is not in a container. PROC_PID_INIT_INO in Linux. */
const INITIAL_NAMESPACE = 'pid:[4026531836]';

let known: Host | undefined;

/** The system that this process runs in. */
export function thisHost(): Host {
  known ??= readHost();
  return known;
}

function readHost(): Host {
  const name = hostname();
  const boot = bootId();
  const namespace = orUndefined(() => readlinkSync('/proc/self/ns/pid'));
  // The name may change while the system runs, for example with the network of a laptop.
  const digest = createHash('sha256')
    .update([boot ?? name, namespace].join('\n'))
    .digest('hex');
  const machine =
    namespace === INITIAL_NAMESPACE ? orUndefined(() => readFileSync('/etc/machine-id', 'utf8').trim()) : undefined;
  return {
    name,
    id: digest.slice(0, 8),
    ...(boot === undefined ? {} : { boot }),
    ...(machine ? { machine } : {}),
  };
}

function orUndefined(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
