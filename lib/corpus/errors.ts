/** The one error of lib/corpus: what is wrong with a data set, where, and what would be right, in a sentence for people. */
export class CorpusError extends Error {
  override name = 'CorpusError';
}

/** The system's reasons as people say them; anything else as it comes. */
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

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && REASONS[code]) ?? message ?? String(error);
}

/** The machine rather than one file is at fault: going on with the next file would only fail again. */
export class DiskError extends CorpusError {
  override name = 'DiskError';

  constructor(path: string, error: unknown) {
    super(`${path}: cannot be written: ${reasonOf(error)}`);
  }
}

/** Whether an error of the system is of that kind. */
export function isFatal(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS' || code === 'EMFILE';
}
