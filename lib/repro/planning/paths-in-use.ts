/** Collects every path that the pipeline reads or makes, so that a file of a removed stage can be kept. */
import { parseManifest } from '../hashing/index.ts';
import { LOCK } from '../storage/index.ts';
import { namedInCommand, PathsInUse, type PathUse } from '../workspace/index.ts';
import type { Project } from './project.ts';

/**
 * Every path that the pipeline uses.
 *
 * @param options `insideDeps`: whether what lies in a folder that a stage depends on counts as used. It does not if the
 *   question is whether it belongs there
 */
export async function pathsInUse(project: Project, options: { insideDeps: boolean }): Promise<PathsInUse> {
  const { root, pipeline } = project;
  const uses: PathUse[] = [...pipeline.sources, LOCK, '.git', '.repro'].map((path) => ({
    path,
    how: 'repro itself needs it',
  }));
  for (const stage of project.graph.stages.values()) {
    const add = (path: string, how: string) => uses.push({ path, how: `${stage.name} ${how}` });
    for (const { path } of stage.outs) add(path, 'makes it');
    for (const { path } of stage.deps)
      uses.push({ path, how: `${stage.name} reads it`, ...(options.insideDeps ? {} : { isWhole: true }) });
    for (const path of [...stage.code, ...stage.params.map(({ file }) => file)]) add(path, 'reads it');
    for (const path of await modulesOf(project, stage.code)) add(path, 'reads it');
    if (stage.checkpoint !== undefined) add(stage.checkpoint, 'keeps its checkpoint there');
    if (stage.wdir !== '.') uses.push({ path: stage.wdir, how: `${stage.name} runs in it`, isWhole: true });
    for (const path of namedInCommand(stage, root))
      uses.push({ path, how: `the command of ${stage.name} names it`, isWhole: true });
  }
  return new PathsInUse(root, uses);
}

/** The modules behind code entries. None if one of them is missing or cannot be read. */
async function modulesOf(project: Project, entries: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of entries) {
    try {
      const closure = await project.stageInputs.closure(entry);
      if (closure?.manifest !== undefined) found.push(...parseManifest(closure.manifest).map(({ path }) => path));
    } catch {}
  }
  return found;
}
