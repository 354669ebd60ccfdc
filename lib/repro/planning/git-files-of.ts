/** The git repository of a project, opened once. */
import { type GitFiles, openGitFiles } from '../workspace/index.ts';

const repositories = new Map<string, Promise<GitFiles | undefined>>();

/** The repository that the folder `root` is in; undefined if there is none. */
export function gitFilesOf(root: string): Promise<GitFiles | undefined> {
  if (!repositories.has(root)) repositories.set(root, openGitFiles(root));
  return repositories.get(root)!;
}
