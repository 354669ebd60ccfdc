/**
 * `repro freeze STAGE…` and `repro unfreeze STAGE…`. A frozen stage never runs, and its outputs are used as they are.
 */

import { editKey } from '../../edits/index.ts';
import { select } from '../../graph/index.ts';
import { PIPELINE } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';
import { printLine } from '../output.ts';

/**
 * Sets or removes `frozen: true` in pipeline.yaml. The cells of a matrix share a definition, so all of them are frozen.
 *
 * @param frozen true: freeze; false: unfreeze
 * @returns the exit code, 0
 */
export async function freeze(targets: readonly string[], frozen: boolean): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  const names = select(project.graph, { at: project, targets, single: true });
  const definitions = new Map(
    names.map((name) => [project.graph.stages.get(name)!.group, project.graph.stages.get(name)!]),
  );
  for (const [group, stage] of definitions) {
    await editKey(project.root, stage.file ?? PIPELINE, [...stage.source, 'frozen'], frozen ? true : undefined);
    const cells = [...project.graph.stages.values()].filter((stage) => stage.group === group && stage.axes).length;
    const all = cells > 1 ? ` (all ${cells} of its cells)` : '';
    printLine(`${group} is ${frozen ? 'frozen' : 'no longer frozen'}${all}`);
  }
  return 0;
}
