/**
 * Formats all C++ of native/ with clang-format, by the rules in .clang-format.
 *
 *     npm run format:native                          rewrites the files
 *     npm run format:native -- --check               changes nothing; exits 1 if a file is not formatted
 *     npm run format:native -- --check --require     also exits 1 if clang-format is missing
 *
 * It runs the clang-format found in PATH. Other versions may format differently. The files agree with this version:
 *
 *     pip install clang-format==23.1.5
 *
 * Without clang-format it prints a warning and exits 0, because no build or test depends on it.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '23.1.5';
const INSTALL = `pip install clang-format==${VERSION}`;
const OPTIONS = ['--check', '--require'];

process.chdir(resolve(dirname(fileURLToPath(import.meta.url)), '..'));
const options = process.argv.slice(2);
const unknown = options.find((option) => !OPTIONS.includes(option));
if (unknown) {
  console.error(`${unknown} is not an option; the options are ${OPTIONS.join(' and ')}`);
  process.exit(2);
}

const version = spawnSync('clang-format', ['--version'], { encoding: 'utf8' });
if (version.error) {
  console.warn(`warning: clang-format is not in PATH, so native/ was not formatted or checked (${INSTALL})`);
  process.exit(options.includes('--require') ? 1 : 0);
}
if (!version.stdout.includes(VERSION)) {
  console.warn(`warning: this is ${version.stdout.trim()}, and the files agree with ${VERSION} (${INSTALL})`);
}
const mode = options.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status } = spawnSync('clang-format', [...mode, ...sourcesIn('native')], { stdio: 'inherit' });
process.exitCode = status === 0 ? 0 : 1;

/** The C++ files under a folder. Build folders are skipped. */
function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'build' ? [] : sourcesIn(path);
    return /\.([ch]pp|cuh?)$/.test(entry.name) ? [path] : [];
  });
}
