/**
 * Starts a shell in its own session and passes on its output until it and its process group have ended. The shell waits
 * at a gate until its group has been noted (process-groups.ts), so there is no moment at which killing repro could
 * leave an unknown command running. If repro dies before that, the gate closes and the shell ends.
 *
 *   fd 1, 2  one pipe, which keeps the order of output     fd 3  progress     fd 4  the gate
 *
 * There are two ways to start it. launch-with-addon.ts uses native/spawn, which works beside the main thread and blocks
 * it for 0.05 ms a command. launch-with-node.ts uses node:child_process, which forks and blocks everything for 0.8 ms
 * in a process of 50 MB, and for 2.8 ms in one of 155 MB. They differ only in time. REPRO_SPAWN=node forces the latter.
 */

import type { LaunchedShell, LaunchListener, LaunchRequest } from './launch-types.ts';
import { addonOrUndefined, launchWithAddon } from './launch-with-addon.ts';
import { launchWithNode } from './launch-with-node.ts';

/** Waits for a line on the gate. If the gate closes without one, the shell exits with 125 and runs nothing. */
const GATE = 'read -r _ <&4 && exec 4<&- || exit 125\n';

/**
 * Starts a shell command.
 *
 * @throws Error if no file descriptors or threads are left, or a text of the request contains NUL
 */
export function launchShell(request: LaunchRequest, listener: LaunchListener): LaunchedShell {
  for (const text of [request.script, request.cwd, ...Object.values(request.env)])
    if (text.includes('\0')) throw new Error('a NUL character cannot be part of a command or its environment');
  const addon = addonOrUndefined();
  const gated = { ...request, script: GATE + request.script, env: { ...request.env, REPRO_PROGRESS_FD: '3' } };
  return addon ? launchWithAddon(addon, gated, listener) : launchWithNode(gated, listener);
}
