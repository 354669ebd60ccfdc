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
  return digestWith(`${process.version} ${process.platform} ${process.arch}`, paths);
}

/** The same for a prebuilt addon, which any version of Node can load (Node-API). */
export function prebuildDigestOf(name) {
  return digestWith(`${process.platform} ${process.arch}`, [`native/${name}`]);
}

function digestWith(machine, paths) {
  const hash = createHash('sha256').update(machine);
  for (const file of paths.flatMap(filesIn).sort()) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function filesIn(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => name !== 'build' && name !== 'prebuilds')
    .flatMap((name) => filesIn(join(path, name)));
}

/** Path of the digest that belongs to a build output. */
export const stampOf = (output) => `${output}.sources`;

/** The folder of native/NAME with prebuilt binaries for this machine, relative to the project's folder (scripts/prebuild.ts). */
export const prebuildsOf = (name) => `native/${name}/prebuilds/${process.platform}-${process.arch}`;

/** Whether native/NAME has a binary for this machine that was prebuilt from the current sources. */
export function isPrebuilt(name) {
  return isStamped(join(root, prebuildsOf(name)), () => prebuildDigestOf(name));
}

function isStamped(output, digest) {
  const stamp = stampOf(output);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest();
}

/**
 * Checks native/NAME: its build or, where there is none, what was prebuilt. An addon that was installed without sources
 * passes.
 *
 * @throws StaleAddonError if the addon was built from other sources
 */
export function requireFresh(name) {
  const addon = `native/${name}`;
  const binary = join(root, addon, `build/Release/${name}.node`);
  if (!existsSync(join(root, addon, 'binding.gyp'))) return;
  if (existsSync(binary) ? isStamped(binary, () => digestOf([addon])) : isPrebuilt(name)) return;
  if (!existsSync(binary) && !existsSync(join(root, prebuildsOf(name)))) return; // The loader says that it is not built.
  throw new StaleAddonError(`${addon} has changed since it was built, or Node has: run \`npm run build\``);
}
