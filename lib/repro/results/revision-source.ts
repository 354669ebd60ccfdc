/**
 * Files at git revisions: RevisionSource reads those of one revision, History the versions of one file. Both only read
 * the repository, by calling `git`.
 */
import { posix } from 'node:path';
import type { FileSource } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { callProgram } from '../programs/index.ts';

/** The files of a git revision. Paths are relative to the pipeline's folder. */
export interface RevisionSource extends FileSource {
  /** The revision as the user wrote it, such as "HEAD~1". */
  name: string;
  /** The texts of several files by path, read with one call of git. Files that are not in the revision are left out. */
  readAll(paths: readonly string[]): Promise<Map<string, string>>;
}

/**
 * Opens a git revision.
 *
 * @param root the pipeline's folder
 * @param name anything that `git rev-parse` accepts: a branch, a tag, a hash, HEAD~1
 * @throws ReproError if git is not installed, if the folder is not in a git repository, or if git does not know the
 *   revision
 */
export async function openRevision(root: string, name: string): Promise<RevisionSource> {
  const git = (...args: string[]) => callProgram('git', args, { cwd: root });
  const found = await git('rev-parse', '--verify', '--quiet', `${name}^{commit}`);
  if (found.error?.code === 'ENOENT')
    throw new ReproError(`git is not installed, so there is no revision "${name}" to compare with`);
  if (found.exitCode !== 0) {
    const inside = await git('rev-parse', '--git-dir');
    if (inside.exitCode !== 0)
      throw new ReproError(`this folder is not in a git repository, so there is no revision "${name}" to compare with`);
    const any = await git('rev-parse', '--verify', '--quiet', 'HEAD');
    throw new ReproError(
      any.exitCode === 0
        ? `git does not know the revision "${name}"; \`git log --oneline\` and \`git branch\` list those that it knows`
        : `this git repository does not have a commit yet, so there is no revision "${name}" to compare with`,
    );
  }
  const commit = found.stdout.trim();
  const readAll = async (paths: readonly string[]) => {
    // git cat-file reads one name a line, so a path with a line break cannot be looked up.
    const names = paths.filter((path) => !path.includes('\n'));
    const input = names.map((path) => `${commit}:./${posix.normalize(path)}\n`).join('');
    // Sizes are in bytes.
    const { stdout } = await callProgram('git', ['cat-file', '--batch'], { cwd: root, input, encoding: 'latin1' });
    return readBatch(names, Buffer.from(stdout, 'latin1'));
  };
  return {
    name,
    read: async (path) => (await readAll([path])).get(path),
    readAll,
  };
}

/**
 * Parses the output of `git cat-file --batch`. For each path it is a line `hash type size`, the content and a line
 * break, or one line that ends in `missing`.
 *
 * @see https://git-scm.com/docs/git-cat-file, section "Batch output"
 */
function readBatch(paths: readonly string[], output: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  let offset = 0;
  for (const path of paths) {
    const end = output.indexOf('\n', offset);
    if (end < 0) break;
    const [, type, size] = / (\w+) (\d+)$/.exec(output.toString('utf8', offset, end)) ?? [];
    offset = end + 1;
    if (size === undefined) continue;
    if (type === 'blob') texts.set(path, output.toString('utf8', offset, offset + Number(size)));
    offset += Number(size) + 1;
  }
  return texts;
}

/** The versions of files in git. */
export interface History {
  /**
   * The text of a file at HEAD and then at each commit that changed it, newest first. `name` is the abbreviated hash.
   * At most the last 200 commits that changed the file are read.
   */
  versions(path: string): AsyncIterable<{ name: string; text: string }>;
}

const MAX_COMMITS = 200;

/**
 * Opens the history of the current branch.
 *
 * @param root the pipeline's folder
 * @returns undefined if git is not installed, or if there is no repository or no commit
 */
export async function openHistory(root: string): Promise<History | undefined> {
  const git = (...args: string[]) => callProgram('git', args, { cwd: root });
  const head = await git('rev-parse', '--short', 'HEAD');
  if (head.exitCode !== 0) return undefined;
  return {
    async *versions(path) {
      const log = await git('log', '--format=%h', `-n${MAX_COMMITS}`, '--', path);
      const touched = log.exitCode === 0 ? log.stdout.split('\n').filter((name) => name !== '') : [];
      for (const name of new Set([head.stdout.trim(), ...touched])) {
        const shown = await git('show', `${name}:./${path}`);
        if (shown.exitCode === 0) yield { name, text: shown.stdout };
      }
    },
  };
}
