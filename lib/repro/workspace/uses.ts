/** Which paths the pipeline uses, so that an output of a removed stage must be kept. Nothing is removed here. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { contains, normalise, type Stage } from '../pipeline/index.ts';

/** A path that is in use, relative to the root. `how` completes a sentence about the path: "train reads it". */
export interface PathUse {
  path: string;
  how: string;
  /** Files in the path do not count as used: a command that names a folder need not read all of it. */
  isWhole?: true;
}

/** The paths that a pipeline uses. Paths that reach the same file through symbolic links count as the same. */
export class PathsInUse {
  readonly #root: string;
  readonly #uses: readonly (PathUse & { spellings: readonly string[] })[];

  constructor(root: string, uses: readonly PathUse[]) {
    this.#root = root;
    this.#uses = uses.map((use) => ({
      ...use,
      spellings: use.isWhole ? [join(root, use.path)] : spell(root, use.path),
    }));
  }

  /**
   * The first use of a path. A path is in use if it is a used path, lies in one or holds one.
   *
   * @returns the end of a sentence, such as "train reads it"; undefined if the path is not in use
   */
  why(path: string): string | undefined {
    const own = spell(this.#root, path);
    const use = this.#uses.find(({ spellings, isWhole }) =>
      own.some((a) => spellings.some((b) => contains(a, b) || (!isWhole && contains(b, a)))),
    );
    if (use === undefined) return undefined;
    if (use.path === path) return use.how;
    return contains(path, use.path) ? `${use.how} (${use.path} is in it)` : `${use.how} (it belongs to ${use.path})`;
  }
}

/** The absolute path, the same with the links above it resolved, and the file that it stands for. */
function spell(root: string, path: string): string[] {
  const absolute = join(root, path);
  const found = new Set([absolute]);
  for (const [folder, rest] of [
    [dirname(absolute), absolute.slice(dirname(absolute).length)],
    [absolute, ''],
  ])
    try {
      found.add(realpathSync.native(folder) + rest);
    } catch {} // It does not exist, so it has no other spelling.
  return [...found];
}

/** The paths that a stage's commands name as separate words: a stage may read a file that it does not list. */
export function namedInCommand({ cmd, env, wdir }: Stage, root: string): string[] {
  const texts = cmd.flatMap((command) => (typeof command === 'string' ? command : command.argv));
  const whole = cmd.flatMap((command) => (typeof command === 'string' ? [] : command.argv));
  const words = [...whole, ...[...texts, ...Object.values(env)].flatMap(wordsIn)];
  return [...new Set(words.filter((word) => word !== '').map((word) => normalise(root, wdir, word)))];
}

/** The words of a text, split at all characters that may stand beside a path, and what stands in quotes as a whole. */
function wordsIn(text: string): string[] {
  const quoted = [...text.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double);
  return [...text.split(/[\s'"`=:,;()<>|&]+/), ...quoted];
}
