/**
 * `repro gitignore`: adds .repro and the outputs that the cache keeps to .gitignore. A run says so if git would show them
 * as new.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { select } from '../../graph/index.ts';
import { listNames, plural, ReproError } from '../../messages/index.ts';
import type { Stage } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';
import { addToGitignore, openGitFiles } from '../../workspace/index.ts';
import { printError, printLine } from '../output.ts';

/** How many paths a sentence names. */
const MAX_NAMED = 3;

/**
 * Adds a line for .repro, and for each output of the targets that the cache keeps, if git neither tracks nor ignores it.
 *
 * @returns the exit code, 0
 * @throws ReproError if the project is not in a git repository
 */
export async function gitignore(targets: readonly string[]): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  const stages = select(project.graph, { at: project, targets, single: true }).map(
    (name) => project.graph.stages.get(name)!,
  );
  const unknown = await unknownToGit(project.root, stages);
  if (unknown === undefined)
    throw new ReproError('this folder is not in a git repository, so there is nothing to ignore');
  const added = addToGitignore(project.root, unknown.map(asPattern));
  printLine(
    added.length === 0 ? 'git tracks or ignores .repro and all outputs' : `added to .gitignore: ${listNames(added)}`,
  );
  return 0;
}

/** Says whether git would show .repro, or outputs of these stages, as new. */
export async function tellUnignored(root: string, stages: readonly Stage[]): Promise<void> {
  if (!isInRepository(root)) return;
  const unknown = (await unknownToGit(root, stages)) ?? [];
  if (unknown.length === 0) return;
  const more = unknown.length - MAX_NAMED;
  const names =
    more > 0 ? `${unknown.slice(0, MAX_NAMED).join(', ')} and ${plural(more, 'more path')}` : listNames(unknown);
  printError(
    `git does not ignore ${names}; \`repro gitignore\` adds ${unknown.length === 1 ? 'it' : 'them'} to .gitignore`,
  );
}

/**
 * Those of .repro and the outputs that the cache keeps that git neither tracks nor ignores. Undefined outside of a git
 * repository.
 */
async function unknownToGit(root: string, stages: readonly Stage[]): Promise<string[] | undefined> {
  const git = await openGitFiles(root);
  const outs = stages.flatMap((stage) => stage.outs.filter(({ cache }) => cache).map(({ path }) => path));
  return git?.unknown([...(existsSync(join(root, '.repro')) ? ['.repro'] : []), ...new Set(outs)]);
}

/** A quick look, before git is called. */
function isInRepository(root: string): boolean {
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return true;
    if (folder === dirname(folder)) return false;
  }
}

/** The pattern of .gitignore that matches this path only. */
function asPattern(path: string): string {
  return `/${path.replace(/[\\*?[\]]/g, '\\$&').replace(/ +$/, (blanks) => blanks.replaceAll(' ', '\\ '))}`;
}
