/**
 * A copy of a project in which one stage can run from nothing: .repro/verify/STAGE. It has the project's files without
 * the outputs that the stage does not read. Files are copied, not linked, so that a command cannot change the originals
 * through them; where the file system shares blocks, a copy takes no room. Only node_modules is linked.
 */
import { constants, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { contains, fileNameFor, type Stage } from '../../pipeline/index.ts';
import type { Project } from '../../planning/index.ts';
import { LOCK } from '../../storage/index.ts';

/** Where the copy for a stage is, relative to the root. */
export function scratchFolder(root: string, stage: string): string {
  return relative(root, join(root, '.repro/verify', fileNameFor(stage)));
}

/** Copies what the stage may read. */
export async function copyForStage(project: Project, stage: Stage, scratch: string): Promise<void> {
  const { root } = project;
  const read = [...stage.deps.map(({ path }) => path), ...stage.code, ...stage.params.map(({ file }) => file)];
  const outs = [...project.graph.stages.values()].flatMap((other) => other.outs.map(({ path }) => path));
  const isUnread = (out: string) => !read.some((path) => contains(path, out) || contains(out, path));
  const own = new Set(stage.outs.map(({ path }) => path));
  const left = new Set(['.git', '.repro', LOCK, ...outs.filter((out) => own.has(out) || isUnread(out))]);
  const target = join(root, scratch);
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(root)) {
    if (left.has(name)) continue;
    if (name === 'node_modules') {
      symlinkSync(join(root, name), join(target, name));
      continue;
    }
    cpSync(join(root, name), join(target, name), {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (source) => !left.has(relative(root, source)),
    });
  }
  mkdirSync(join(target, stage.wdir), { recursive: true });
}

/** Removes the copy for a stage. */
export function removeScratch(root: string, stage: string): void {
  const folder = join(root, scratchFolder(root, stage));
  rmSync(folder, { recursive: true, force: true });
  try {
    // Removes .repro/verify too if it is empty.
    if (readdirSync(dirname(folder)).length === 0) rmSync(dirname(folder), { recursive: true });
  } catch {} // There is none.
}
