/** Asks git about the files in the workspace. It calls `git` and changes nothing in the repository. */

import { contains } from '../pipeline/index.ts';
import { callProgram } from '../programs/index.ts';

/** The git repository that a project is in. */
export interface GitFiles {
  /**
   * The files that git tracks at these paths and below them, relative to the root. Paths that git refuses count as
   * tracked.
   */
  tracked(paths: readonly string[]): Promise<string[]>;
  /** Those of these paths that git neither tracks nor ignores. None if git cannot say. */
  unknown(paths: readonly string[]): Promise<string[]>;
  /** Whether all these files are as in the last commit, so that git can bring them back. False for an empty folder. */
  areCommitted(files: readonly string[]): Promise<boolean>;
  /** Whether any commit added or removed `text` in a file. */
  everContained(file: string, text: string): Promise<boolean>;
}

/** The most paths for one call of git: the system limits the length of a command line. */
const MAX_ARGUMENTS = 500;

/**
 * Opens the repository that the folder `root` is in.
 *
 * @returns undefined if there is no repository, or git is not installed
 */
export async function openGitFiles(root: string): Promise<GitFiles | undefined> {
  const git = (...args: string[]) => callProgram('git', ['--literal-pathspecs', ...args], { cwd: root });
  const inside = await git('rev-parse', '--is-inside-work-tree');
  if (inside.exitCode !== 0 || inside.stdout.trim() !== 'true') return undefined;
  const files: GitFiles = {
    async unknown(paths) {
      const input = paths.map((path) => `${path}\0`).join('');
      const { exitCode, stdout } = await callProgram('git', ['check-ignore', '-z', '--stdin'], { cwd: root, input });
      if (exitCode !== 0 && exitCode !== 1) return [];
      const ignored = new Set(stdout.split('\0'));
      const tracked = await files.tracked(paths);
      return paths.filter((path) => !ignored.has(path) && !tracked.some((file) => contains(path, file)));
    },
    async tracked(paths) {
      const found: string[] = [];
      for (let start = 0; start < paths.length; start += MAX_ARGUMENTS) {
        const some = paths.slice(start, start + MAX_ARGUMENTS);
        const listed = await git('ls-files', '-z', '--', ...some);
        // If git cannot say, all of them count as tracked, so that nothing is lost.
        found.push(...(listed.exitCode === 0 ? listed.stdout.split('\0').filter((name) => name !== '') : some));
      }
      return found;
    },
    async areCommitted(files) {
      if (files.some((file) => file.endsWith('/') || file.includes('\n'))) return false;
      // The index may say "unchanged" of a file that it was told to skip, so the contents themselves are compared.
      const committed = new Map<string, string>();
      const tree = await git('ls-tree', '-r', '-z', 'HEAD', '--', ...new Set(files.map((file) => file.split('/')[0])));
      if (tree.exitCode !== 0) return false;
      for (const line of tree.stdout.split('\0')) {
        const [, hash, file] = /^100\d{3} blob (\w+)\t(.*)$/s.exec(line) ?? [];
        if (hash !== undefined) committed.set(file, hash);
      }
      if (files.some((file) => !committed.has(file))) return false;
      const hashed = await callProgram('git', ['hash-object', '--stdin-paths'], {
        cwd: root,
        input: files.map((file) => `${file}\n`).join(''),
      });
      const hashes = hashed.exitCode === 0 ? hashed.stdout.split('\n') : [];
      return files.every((file, i) => committed.get(file) === hashes[i]);
    },
    async everContained(file, text) {
      const found = await git('log', '-n1', '--format=%h', `-S${text}`, '--', file);
      return found.exitCode === 0 && found.stdout.trim() !== '';
    },
  };
  return files;
}
