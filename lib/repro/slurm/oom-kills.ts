/**
 * Counts the processes of this job that the kernel killed because memory ran out, from the job's cgroup. A command may
 * go on after one of its processes was killed, and end with 0.
 */
import { join } from 'node:path';
import { readUtf8OrUndefined } from '../freshness/index.ts';

/** @returns 0 if the cgroup does not count them */
export function oomKills(): number {
  const groups = readUtf8OrUndefined('/proc/self/cgroup') ?? '';
  for (const line of groups.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    // Version 2 has one tree for all controllers, version 1 one for each.
    const file =
      controllers === ''
        ? join('/sys/fs/cgroup', path, 'memory.events')
        : controllers.split(',').includes('memory')
          ? join('/sys/fs/cgroup/memory', path, 'memory.oom_control')
          : undefined;
    const [, count] = /^oom_kill (\d+)/m.exec((file && readUtf8OrUndefined(file)) ?? '') ?? [];
    if (count !== undefined) return Number(count);
  }
  return 0;
}
