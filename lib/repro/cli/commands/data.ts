/** `repro checkout`: outputs as the lock has them. `repro commit`: the lock as the outputs are. */
import { commitStage, missingOutputs, restoreStage } from '../../execution/index.ts';
import { sameContent } from '../../hashing/index.ts';
import { plural, ReproError } from '../../messages/index.ts';
import { select } from '../../pipeline/index.ts';
import { MissingInputs, openProject, type Project, placeMissing } from '../../planning/index.ts';
import { fingerprintKey } from '../../storage/index.ts';

export async function checkout(targets: readonly string[]): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    const { restored, problems } = await checkOutStages(project, select(project.graph, { targets, single: true }));
    process.stdout.write(restored === 0 ? 'nothing to check out\n' : `${plural(restored, 'output')} checked out\n`);
    for (const problem of problems) process.stderr.write(`repro: ${problem}\n`);
    return problems.length > 0 ? 1 : 0;
  } finally {
    await project.close();
  }
}

export async function checkOutStages(
  project: Project,
  names: readonly string[],
): Promise<{ restored: number; problems: string[] }> {
  let restored = 0;
  const problems: string[] = [];
  for (const name of names) {
    const block = project.lock.get(name);
    const stage = project.graph.stages.get(name)!;
    for (const { path, cache } of stage.outs) {
      const content = block?.outs?.[path];
      if (!content || sameContent((await project.stageInputs.scan(path))?.content, content)) continue;
      const [problem] = await project.cache.problems(content);
      if (problem === undefined) {
        await restoreStage(project, stage, { ...block!, outs: { [path]: content } }, { record: false });
        restored++;
      } else problems.push(`${name}: ${path} cannot be checked out: ${problem}${cache ? '' : ' (git keeps it)'}`);
    }
  }
  return { restored, problems };
}

export async function commit(targets: readonly string[], call: { force?: boolean }): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    let committed = 0;
    for (const name of select(project.graph, { targets, single: true })) {
      const stage = project.graph.stages.get(name)!;
      const missing = missingOutputs(project, stage);
      if (missing.length > 0) {
        if (targets.length === 0) continue;
        throw new ReproError(`${name} cannot be committed: ${missing.join(', ')} is missing`, call.force ? 1 : 2);
      }
      const inputs = await project.stageInputs.fingerprint(stage).catch(async (error) => {
        throw error instanceof MissingInputs ? await placeMissing(project, error) : error;
      });
      await commitStage(project, stage, inputs, fingerprintKey(stage, inputs));
      committed++;
    }
    project.lock.flush();
    process.stdout.write(`${plural(committed, 'stage')} committed as ${committed === 1 ? 'it is' : 'they are'}\n`);
    return 0;
  } finally {
    await project.close();
  }
}
