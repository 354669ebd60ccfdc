/**
 * A small shell beside repro that knows which process groups run and kills them when repro is gone: killed itself, it can
 * no longer do so. It ends when repro ends, as its input is then at its end.
 */
import { type ChildProcess, spawn } from 'node:child_process';

const SCRIPT = `
groups=' '
while read -r word group; do
  if [ "$word" = add ]; then groups="$groups$group "; continue; fi
  rest=' '
  for other in $groups; do [ "$other" = "$group" ] || rest="$rest$other "; done
  groups=$rest
done
for group in $groups; do kill -9 "-$group"; done 2>/dev/null
`;

export class Reaper {
  #shell: ChildProcess | undefined;

  add(group: number): void {
    if (this.#shell === undefined) {
      this.#shell = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, cwd: '/', stdio: ['pipe', 'ignore', 'ignore'] });
      this.#shell.on('error', () => {});
      this.#shell.stdin!.on('error', () => {});
      this.#shell.unref();
    }
    this.#shell.stdin!.write(`add ${group}\n`);
  }

  remove(group: number): void {
    this.#shell?.stdin?.write(`remove ${group}\n`);
  }

  close(): void {
    this.#shell?.stdin?.end();
  }
}
