/**
 * The error class for mistakes that a user can fix. Each message says what is wrong, where, and what would be right.
 * Any other error is a bug and keeps its stack trace.
 *
 *   pipeline.yaml:7:5: unknown key "dep"; did you mean "deps"?
 */
import { getSystemErrorName } from 'node:util';

/** A position in a file. Lines and columns are counted from 1. */
export interface Place {
  file: string;
  line?: number;
  column?: number;
}

/** One mistake, with its position if it is in a file. */
export interface Problem {
  /** One sentence without a full stop: what is wrong and what would be right. */
  message: string;
  place?: Place;
  /** The faulty template in a value, if there is one: its text, and the number of equal templates before it. */
  template?: { reference: string; nth: number };
  /** The dotted key of the faulty value, such as "train.lr". */
  key?: string;
}

/**
 * One or more problems that repro prints without a stack trace.
 *
 * @example throw new ReproError({ message: 'must be a number', place: { file: 'params.yaml', line: 2 }, key: 'lr' })
 */
export class ReproError extends Error {
  override readonly name = 'ReproError';
  /** At least one problem. If several were found in a file, they are in the order of the file. */
  readonly problems: readonly Problem[];
  /** 2: the pipeline or the command line is wrong. 1: something failed during the run. */
  readonly exitCode: 1 | 2;

  /**
   * @param problems a message, a problem, or a list of at least one problem
   * @param exitCode the exit code of repro if nothing catches this error
   */
  constructor(problems: Problem | readonly Problem[] | string, exitCode: 1 | 2 = 2) {
    const list =
      typeof problems === 'string' ? [{ message: problems }] : Array.isArray(problems) ? problems : [problems];
    super(list.map(describeProblem).join('\n'));
    this.problems = list;
    this.exitCode = exitCode;
  }
}

function describeProblem({ message, place, key }: Problem): string {
  const sentence = key === undefined || message.includes(key) ? message : `${key}: ${message}`;
  return place === undefined ? sentence : `${describePlace(place)}: ${sentence}`;
}

function describePlace({ file, line, column }: Place): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}

/**
 * Describes any error, for the end of a sentence such as "cannot read a.txt: there is no such file or folder".
 *
 * @param error what a `catch` caught
 * @returns plain words for the common error codes of Node's file system, else the error's own message
 */
export function describeError(error: unknown): string {
  const code = errorCode(error);
  const descriptions: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission is denied',
    EPERM: 'permission is denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'part of its path is a file, not a folder',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EROFS: 'the file system is read-only',
    EMFILE: 'too many files are open',
    ELOOP: 'its symbolic links form a loop',
    EFBIG: 'the file would be larger than the system allows',
    ENAMETOOLONG: 'its name is too long',
    EEXIST: 'there is something else in its place',
    EIO: 'the disk has an error',
  };
  return (code && descriptions[code]) ?? (error instanceof Error ? error.message : String(error));
}

/**
 * Describes an error of the operating system as a sentence with its path, such as ".repro/logs/a: the disk is full".
 *
 * @param root paths below this folder are shown relative to it
 * @returns undefined if it is not an error of the system, but a bug of repro
 */
export function describeSystemError(error: unknown, root?: string): string | undefined {
  const code = errorCode(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  const { path, syscall = '' } = error as NodeJS.ErrnoException;
  const changes = /^(write|ftruncate|mkdir|rename|link|symlink|unlink|rmdir|rm|chmod|copyfile|cp|fsync|utime)/;
  const verb = changes.test(syscall) || ['ENOSPC', 'EROFS', 'EDQUOT'].includes(code) ? 'written' : 'read';
  const shown = path?.startsWith(`${root}/`) ? path.slice(root!.length + 1) : path;
  return shown === undefined ? describeError(error) : `${shown} cannot be ${verb}: ${describeError(error)}`;
}

/** The code of a system error, such as "ENOENT". Errors of LMDB have a number, which is translated. */
function errorCode(error: unknown): string | undefined {
  const code: unknown = (error as { code?: unknown } | undefined)?.code;
  if (typeof code !== 'number') return typeof code === 'string' ? code : undefined;
  return code > 0 && code < 200 ? getSystemErrorName(-code) : undefined;
}
