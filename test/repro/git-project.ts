/** Helpers for tests about a user's files: a test project that is a git repository, and its pipeline.yaml. */
import { execFileSync } from 'node:child_process';
import type { TestProject } from './project.ts';

/** Runs git in the folder of a project. */
export function git(made: TestProject, ...args: string[]): string {
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...who, ...args], { cwd: made.root, encoding: 'utf8' });
}

/** Makes the folder of a project a repository with one commit of all files. */
export function commitAll(made: TestProject): void {
  made.write('.gitignore', '.repro/\n');
  git(made, 'init', '-q');
  git(made, 'add', '-A');
  git(made, 'commit', '-qm', 'first');
}

/** Writes pipeline.yaml from the lines of its stages. */
export function setStages(made: TestProject, ...stages: string[]): void {
  made.write('pipeline.yaml', `stages:\n${stages.map((line) => `  ${line}\n`).join('')}`);
}
