/** Normalised paths: relative to the pipeline's folder, with forward slashes, and one spelling for each path. */
import { createHash } from 'node:crypto';
import { isAbsolute, posix, relative, resolve, sep } from 'node:path';

/**
 * Normalises a path. The pipeline's folder is `.`; a path outside it starts with `..`.
 *
 * @param wdir the folder that `path` is relative to, itself normalised
 * @example normalise('/project', 'w', './a/../b/') // 'w/b'
 */
export function normalise(root: string, wdir: string, path: string): string {
  if (!isAbsolute(path)) {
    const joined = posix.normalize(posix.join(wdir || '.', sep === '\\' ? path.replaceAll('\\', '/') : path));
    return joined.length > 1 && joined.endsWith('/') ? joined.slice(0, -1) : joined;
  }
  const inside = relative(root, resolve(path));
  return inside === '' ? '.' : inside.split(sep).join('/');
}

/** Whether a dependency is a pattern of file names, such as `src/*.py`. */
export function isPattern(path: string): boolean {
  return /[*?]/.test(path);
}

/** Whether `inner` is `outer` or inside it; both are normalised. */
export function contains(outer: string, inner: string): boolean {
  if (outer === '.') return !isOutside(inner);
  return outer === inner || inner.startsWith(`${outer}/`);
}

/** Whether a normalised path is outside the pipeline's folder. */
export function isOutside(path: string): boolean {
  return path === '..' || path.startsWith('../') || isAbsolute(path);
}

/** The longest file name of a stage, in bytes. Callers add endings, and file systems allow 255 in all. */
const LONGEST = 180;

/** A file name for a stage, whose name may contain slashes and other characters. A long one ends with a hash. */
export function fileNameFor(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll('%40', '@').replaceAll('*', '%2A');
  const hash = () => createHash('sha256').update(name).digest('hex').slice(0, 16);
  const plain = encoded.length > LONGEST ? `${encoded.slice(0, LONGEST - 17)}~${hash()}` : encoded;
  return plain.startsWith('.') ? `%2E${plain.slice(1)}` : plain;
}
