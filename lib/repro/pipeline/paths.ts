/** Paths inside a pipeline: relative to its folder, with forward slashes, in one spelling each. */
import { isAbsolute, posix, relative, resolve, sep } from 'node:path';

/** `./a/../b/` of wdir `w` → `w/b`; the pipeline's folder itself is `.`. What lies outside starts with `..`. */
export function normalise(root: string, wdir: string, path: string): string {
  if (!isAbsolute(path)) {
    const joined = posix.normalize(posix.join(wdir || '.', sep === '\\' ? path.replaceAll('\\', '/') : path));
    return joined.length > 1 && joined.endsWith('/') ? joined.slice(0, -1) : joined;
  }
  const inside = relative(root, resolve(path));
  return inside === '' ? '.' : inside.split(sep).join('/');
}

/** Whether `inner` is `outer` or lies in it; both normalised. */
export function contains(outer: string, inner: string): boolean {
  if (outer === '.') return !isOutside(inner);
  return outer === inner || inner.startsWith(`${outer}/`);
}

export function isOutside(path: string): boolean {
  return path === '..' || path.startsWith('../') || isAbsolute(path);
}

/** A name as one file name: stage names may hold slashes and more. */
export function fileNameFor(name: string): string {
  const plain = encodeURIComponent(name).replaceAll('%40', '@').replaceAll('*', '%2A');
  return plain.startsWith('.') ? `%2E${plain.slice(1)}` : plain;
}
