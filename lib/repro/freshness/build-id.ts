/** Identifies the build of repro. Results that one build remembered may be wrong for another. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

let known: string | undefined;

/** Size and time of the file that contains this module: the bundle, or this source file. */
export function buildId(): string {
  if (known === undefined) {
    const { size, mtimeMs } = statSync(fileURLToPath(import.meta.url));
    known = `${size}:${mtimeMs}`;
  }
  return known;
}
