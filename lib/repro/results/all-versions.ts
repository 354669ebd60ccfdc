/**
 * Each version of a file that this git repository still has, so that nothing is removed that one of them needs.
 * They are those of all branches, tags, stashes and reflogs, and those in its working trees.
 *
 *     const { texts, commits } = await allVersions(root, 'dvc-like.lock')
 */

import { join } from 'node:path';
import { readUtf8OrUndefined } from '../freshness/index.ts';
import { ReproError } from '../messages/index.ts';

/** The versions of a file. */
export interface Versions {
  /** Each text once. */
  texts: string[];
  /** The number of commits that were looked at: those that changed the file. */
  commits: number;
}

/**
 * Reads all versions of a file.
 *
 * @param root the pipeline's folder
 * @param path relative to it
 * @throws ReproError if git is missing, if the folder is not in a repository, or if the repository is a shallow clone,
 *   which does not know all versions
 */
export async function allVersions(root: string, path: string): Promise<Versions> {
  const { execa } = await import('execa');
  const git = (...args: string[]) => execa('git', args, { cwd: root, reject: false });
  const shallow = await git('rev-parse', '--is-shallow-repository', '--show-prefix');
  if (shallow.code === 'ENOENT')
    throw new ReproError('git is not installed, so it is not known what other commits need');
  if (shallow.exitCode !== 0)
    throw new ReproError('this folder is not in a git repository, so it is not known what other versions of it need');
  const [isShallow, prefix = ''] = shallow.stdout.split('\n');
  if (isShallow === 'true')
    throw new ReproError(
      'this is a shallow clone, so it is not known what its other commits need; `git fetch --unshallow` brings them',
    );
  const log = await git('log', '--all', '--reflog', '-m', '--format=%H', '--', path);
  const commits = [...new Set(log.stdout.split('\n').filter((line) => line !== ''))];
  const batch = await execa('git', ['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
    cwd: root,
    input: commits.map((commit) => `${commit}:${prefix}${path}\n`).join(''),
  });
  const blobs = new Set(batch.stdout.split('\n').flatMap((line) => (/ blob$/.test(line) ? [line.split(' ')[0]] : [])));
  const texts = new Set<string>();
  for (const blob of blobs)
    texts.add((await execa('git', ['cat-file', 'blob', blob], { cwd: root, stripFinalNewline: false })).stdout);
  const trees = await git('worktree', 'list', '--porcelain');
  for (const line of trees.stdout.split('\n')) {
    if (!line.startsWith('worktree ')) continue;
    const text = readUtf8OrUndefined(join(line.slice('worktree '.length), prefix, path));
    if (text !== undefined) texts.add(text);
  }
  return { texts: [...texts], commits: commits.length };
}
