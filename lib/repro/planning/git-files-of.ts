/** The git repository of a project, opened once. */
import { type GitFiles, openGitFiles } from '../workspace/index.ts';
import type { Project } from './project.ts';

const repositories = new WeakMap<Project, Promise<GitFiles | undefined>>();

/** The repository that the folder of the project is in; undefined if there is none. */
export function gitFilesOf(project: Project): Promise<GitFiles | undefined> {
  let opened = repositories.get(project);
  if (opened === undefined) {
    opened = openGitFiles(project.root);
    repositories.set(project, opened);
  }
  return opened;
}
