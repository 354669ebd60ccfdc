// What an addon was built of: scripts/install.mjs writes a digest of the sources beside each binary, and whoever loads the binary
// asks whether it is still theirs. A result would otherwise be recorded as that of sources which were never compiled.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');

/** The binary is of other sources than those that stand beside it; the message says what to do. */
export class StaleAddonError extends Error {
  name = 'StaleAddonError';
}

/** Of the contents of these files and folders, given from the project's folder, and of this Node. */
export function digestOf(paths) {
  const hash = createHash('sha256').update(`${process.version} ${process.platform} ${process.arch}`);
  for (const file of paths.flatMap(filesIn).sort()) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function filesIn(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => name !== 'build')
    .flatMap((name) => filesIn(join(path, name)));
}

/** Where the digest of a thing that was made is kept. */
export const stampOf = (output) => `${output}.sources`;

/** Throws a StaleAddonError where native/NAME is built, and of other sources. Of an addon that came without sources it is silent. */
export function requireFresh(name) {
  const addon = `native/${name}`;
  const binary = join(root, addon, `build/Release/${name}.node`);
  if (!existsSync(binary) || !existsSync(join(root, addon, 'binding.gyp'))) return;
  const stamp = stampOf(binary);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digestOf([addon])) return;
  throw new StaleAddonError(`${addon} has changed since it was built, or Node has: run \`npm run build\``);
}
