// Checks that an addon was built from the current sources. scripts/install.mjs writes a digest of the sources beside each binary,
// and the code that loads the binary compares it. Otherwise repro would record a result for sources that were never compiled.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');

/** The binary was built from other sources than the current ones. The message says what to do. */
export class StaleAddonError extends Error {
  name = 'StaleAddonError';
}

/** Hashes the contents of files and folders (paths relative to the project's folder) and the version of Node. */
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

/** Path of the digest that belongs to a build output. */
export const stampOf = (output) => `${output}.sources`;

/**
 * Checks native/NAME. An addon that was installed without sources passes.
 *
 * @throws StaleAddonError if the addon was built from other sources
 */
export function requireFresh(name) {
  const addon = `native/${name}`;
  const binary = join(root, addon, `build/Release/${name}.node`);
  if (!existsSync(binary) || !existsSync(join(root, addon, 'binding.gyp'))) return;
  const stamp = stampOf(binary);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digestOf([addon])) return;
  throw new StaleAddonError(`${addon} has changed since it was built, or Node has: run \`npm run build\``);
}
