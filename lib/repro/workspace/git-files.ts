/** What git knows of the files in the workspace. It only reads the repository, by calling `git`. */

/** The git repository that a project is in. */
export interface GitFiles {
  /** The files that git tracks at these paths and below them, relative to the root. */
  tracked(paths: readonly string[]): Promise<string[]>;
}

/**
 * Opens the repository that the folder `root` is in.
 *
 * @returns undefined if there is no repository, or git is not installed
 */
export async function openGitFiles(root: string): Promise<GitFiles | undefined> {
  const { execa } = await import('execa');
  const git = (...args: string[]) =>
    execa('git', ['--literal-pathspecs', ...args], { cwd: root, reject: false, stripFinalNewline: false });
  const inside = await git('rev-parse', '--is-inside-work-tree');
  if (inside.exitCode !== 0 || inside.stdout.trim() !== 'true') return undefined;
  return {
    async tracked(paths) {
      if (paths.length === 0) return [];
      const listed = await git('ls-files', '-z', '--', ...paths);
      return listed.exitCode === 0 ? listed.stdout.split('\0').filter((name) => name !== '') : [];
    },
  };
}
