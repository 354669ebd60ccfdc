/**
 * Which files a plot may show: those of the project, and for a Vega-Lite specification the data beside it. A plot is
 * data. It must not bring other files of the user into a page.
 */
import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, posix, relative } from 'node:path';
import { describeBytes, ReproError } from '../messages/index.ts';

/** The largest data file that a specification may read. */
const MAX_DATA_BYTES = 64 * 2 ** 20;
/** Data formats of Vega. */
const DATA_FILE = /\.(csv|tsv|json|topojson)$/i;

/**
 * Checks that a plot lies in the project.
 *
 * @param root the project's folder
 * @param path relative to `root`
 * @throws ReproError if a symbolic link leads outside
 */
export function checkPlotFile(root: string, path: string): void {
  const real = realPath(join(root, path));
  if (real !== undefined && !isWithin(realpathSync(root), real))
    throw new ReproError(`it leads to ${real}, outside of the pipeline's folder`, 1);
}

/**
 * The path of a data file that a specification names. It must lie beside the specification or in a folder below.
 *
 * @param root the project's folder
 * @param spec path of the specification, relative to `root`
 * @param url as the specification has it
 * @returns the path, relative to `root`
 * @throws ReproError if the specification may not read it
 */
export function dataPath(root: string, spec: string, url: string): string {
  const refuse = (why: string) =>
    new ReproError(
      `it reads ${url.slice(0, 200)}, ${why}; a plot may read .csv, .tsv, .json and .topojson files in its own folder and below`,
      1,
    );
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(url)) throw refuse('which is an address');
  if (isAbsolute(url) || url.startsWith('\\')) throw refuse('which is an absolute path');
  const names = url.split(/[/\\]/);
  if (names.includes('..')) throw refuse('which is outside of its folder');
  if (names.some((name) => name.startsWith('.') && name !== '.') || url.includes('\0') || !DATA_FILE.test(url))
    throw refuse('which is not a data file');
  const path = posix.join(posix.dirname(spec), url);
  const real = realPath(join(root, path));
  if (real === undefined) return path; // It may exist at a git revision.
  if (!isWithin(realpathSync(join(root, posix.dirname(spec))), real)) throw refuse(`which leads to ${real}`);
  const stats = statSync(real);
  if (!stats.isFile()) throw refuse('which is not a file');
  if (stats.size > MAX_DATA_BYTES) throw refuse(`which is larger than ${describeBytes(MAX_DATA_BYTES)}`);
  return path;
}

/** The path without symbolic links; undefined if there is no such file. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function isWithin(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return !isAbsolute(inside) && inside.split(/[/\\]/)[0] !== '..';
}
