/** Errors of lib/corpus. Each message is one sentence: the path, the problem, and the expected form or a remedy. */

/** A data set, a file of it, or an option is wrong. Every function of lib/corpus throws this for problems that a user can fix. */
export class CorpusError extends Error {
  override name = 'CorpusError';
}

/** Plain sentences for the error codes of the operating system. */
const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'there is no such file',
  ENOTDIR: 'a file stands where a folder should be',
  EISDIR: 'it is a folder',
  EEXIST: 'it exists already',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the disk is read-only',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'too many files are open',
  ELOOP: 'links lead in a circle',
};

/**
 * Describes the reason of a failure in plain words.
 *
 * @param error the value that was thrown
 * @returns the plain reason for a known error code of the operating system, otherwise the error's own message
 */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && REASONS[code]) ?? message ?? String(error);
}

/** Writing failed because of the disk, not because of this file. The next file would fail in the same way, so the work stops. */
export class DiskError extends CorpusError {
  override name = 'DiskError';

  constructor(path: string, error: unknown) {
    super(`${path}: cannot be written: ${reasonOf(error)}`);
  }
}

/**
 * Whether an error would occur for every other file too: disk full, quota used up, read-only disk, too many open files.
 */
export function isFatal(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS' || code === 'EMFILE';
}
