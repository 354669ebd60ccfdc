/** Which build of repro this is: another may read the same pipeline otherwise. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

let known: string | undefined;

/** Of the file that holds this module: the bundle, or this source. */
export function ownIdentity(): string {
  if (known === undefined) {
    const { size, mtimeMs } = statSync(fileURLToPath(import.meta.url));
    known = `${size}:${mtimeMs}`;
  }
  return known;
}
