/** Identifies the build of repro. Results that one build remembered may be wrong for another. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

let known: string | undefined;

/** The version of the package: scripts/bundle-runner.mjs puts it here. */
const VERSION = process.env.REPRO_VERSION ?? '';

/**
 * Version, and size and time of the file that contains this module: the bundle, or this source file. The version counts
 * because some package managers give every installed file the same time.
 */
export function buildId(): string {
  if (known === undefined) {
    const { size, mtimeMs } = statSync(fileURLToPath(import.meta.url));
    known = `${VERSION}:${size}:${mtimeMs}`;
  }
  return known;
}
