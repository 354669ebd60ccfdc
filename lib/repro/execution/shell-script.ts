/** What sh gets for a command of a stage. It is always /bin/sh, not $SHELL, so that a pipeline means the same to everybody. */
import type { StageCommand } from '../pipeline/index.ts';

/** The script for a command, and its arguments. A program with arguments takes the place of the shell. */
export function shellScript(command: StageCommand): { script: string; args: readonly string[] } {
  if (typeof command === 'string') return { script: command, args: [] };
  return { script: 'exec "$@"', args: command.argv };
}
