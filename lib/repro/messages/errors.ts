/**
 * The one error that people see: what is wrong, where, and what would be right. Everything that is not a ReproError is a
 * bug and keeps its stack trace.
 *
 *   pipeline.yaml:7:5: unknown key "dep"; did you mean "deps"?
 */

/** A spot in a file; lines and columns count from 1. */
export interface Place {
  file: string;
  line?: number;
  column?: number;
}

export interface Problem {
  /** One sentence without a full stop: what is wrong and what would be right. */
  message: string;
  place?: Place;
  /** The key it is about, dotted: "train.lr". */
  key?: string;
}

export class ReproError extends Error {
  override readonly name = 'ReproError';
  /** At least one; all that were found at once, in the order of the file. */
  readonly problems: readonly Problem[];
  /** 2: the pipeline or the call is wrong. 1: something failed while running. */
  readonly exitCode: 1 | 2;

  constructor(problems: Problem | readonly Problem[] | string, exitCode: 1 | 2 = 2) {
    const list =
      typeof problems === 'string' ? [{ message: problems }] : Array.isArray(problems) ? problems : [problems];
    super(list.map(describeProblem).join('\n'));
    this.problems = list;
    this.exitCode = exitCode;
  }
}

function describeProblem({ message, place, key }: Problem): string {
  const what = key === undefined || message.includes(key) ? message : `${key}: ${message}`;
  return place === undefined ? what : `${describePlace(place)}: ${what}`;
}

function describePlace({ file, line, column }: Place): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}

/** Node's error codes in words, for sentences such as "cannot read a.txt: there is no such file". */
export function describeError(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const words: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission is denied',
    EPERM: 'permission is denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'part of its path is a file, not a folder',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EROFS: 'the file system is read-only',
    EMFILE: 'too many files are open',
    ELOOP: 'its symbolic links run in a circle',
    EFBIG: 'the file would be larger than is allowed here',
    ENAMETOOLONG: 'its name is too long',
  };
  return (code && words[code]) ?? (error instanceof Error ? error.message : String(error));
}
