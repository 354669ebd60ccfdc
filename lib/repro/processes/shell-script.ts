/**
 * The script that sh runs for a command of a stage. The shell is always /bin/sh, not $SHELL, so that a pipeline does
 * not depend on the user.
 */
import type { StageCommand } from '../pipeline/index.ts';

/**
 * The shell stops at the first command that fails, so that a failure before the last line is not taken for success.
 * Where it can (`set -o pipefail` is in bash, ksh, busybox, and dash since 0.5.13), a pipeline fails if any of its
 * commands does. `command` keeps a shell without the option from ending.
 */
const STRICT = 'set -e; command set -o pipefail 2>/dev/null || :; ';

/** The script for a command, and its arguments. A program with arguments takes the place of the shell. */
export function shellScript(command: StageCommand): { script: string; args: readonly string[] } {
  if (typeof command === 'string') return { script: STRICT + command, args: [] };
  return { script: 'exec "$@"', args: command.argv };
}
