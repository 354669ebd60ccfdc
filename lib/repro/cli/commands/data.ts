/**
 * `repro checkout` restores the outputs that the lock lists. `repro commit` records the current outputs in the lock.
 */
import { commitStage, restoreStage } from '../../execution/index.ts';
import { select, targetPath, unknownPath } from '../../graph/index.ts';
import { sameContent } from '../../hashing/index.ts';
import { ignoredIn, missingOutputs } from '../../making/index.ts';
import { plural, ReproError } from '../../messages/index.ts';
import { contains } from '../../pipeline/index.ts';
import { MissingInputs, openProject, type Project, placeMissing } from '../../planning/index.ts';
import { fingerprintKey } from '../../storage/index.ts';
import { printError, printLine } from '../output.ts';
import { checkOutParts } from './checkout-parts.ts';

/**
 * Restores changed or missing outputs of the targets from the cache; without targets, of all stages.
 *
 * @param targets stages, groups, outputs, or paths in outputs
 * @returns the exit code: 1 if an output could not be restored, else 0
 */
export async function checkout(targets: readonly string[]): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    const [whole, parts] = splitTargets(project, targets);
    const none = { restored: 0, problems: [] };
    const names =
      whole.length === 0 && targets.length > 0
        ? undefined
        : select(project.graph, { at: project, targets: whole, single: true });
    const ofStages = names === undefined ? none : await checkOutStages(project, names);
    const ofParts = await checkOutParts(project, parts, (text) => printLine(`! ${text}`));
    const problems = [...ofStages.problems, ...ofParts.problems];
    const done: string[] = [];
    if (ofStages.restored > 0) done.push(plural(ofStages.restored, 'output'));
    if (ofParts.restored > 0) done.push(plural(ofParts.restored, 'file'));
    printLine(done.length === 0 ? 'nothing to check out' : `${done.join(' and ')} checked out`);
    for (const problem of problems) printError(problem);
    return problems.length > 0 ? 1 : 0;
  } finally {
    await project.close();
  }
}

/** Targets that are stages or outputs, and those that are paths in an output, normalised. */
function splitTargets(project: Project, targets: readonly string[]): [whole: string[], parts: string[]] {
  const { graph } = project;
  const outs = [...graph.stages.values()].flatMap((stage) => stage.outs.map(({ path }) => path));
  const isInside = (path: string) => outs.some((out) => out !== path && contains(out, path));
  const names = new Set([...graph.stages.values()].flatMap(({ name, group }) => [name, group]));
  const [whole, parts]: [string[], string[]] = [[], []];
  for (const target of targets) {
    const path = targetPath(target, project);
    if (!names.has(target) && isInside(path)) parts.push(path);
    else whole.push(target);
    if (names.has(target) || outs.some((out) => contains(out, path))) continue;
    const elsewhere = unknownPath(target, project, isInside);
    if (elsewhere !== undefined) throw elsewhere;
  }
  return [whole, parts];
}

/**
 * Restores the outputs of the given stages that differ from the lock.
 *
 * @returns the number of restored outputs, and one sentence for each output that could not be restored
 */
export async function checkOutStages(
  project: Project,
  names: readonly string[],
): Promise<{ restored: number; problems: string[] }> {
  let restored = 0;
  const problems: string[] = [];
  for (const name of names) {
    const locked = project.lock.get(name);
    const stage = project.graph.stages.get(name)!;
    for (const { path, cache } of stage.outs) {
      const content = locked?.outs?.[path];
      if (!content || sameContent((await project.stageInputs.output(path)).content, content)) continue;
      const [problem] = await project.cache.problems(content);
      if (problem === undefined) {
        try {
          const note = (text: string) => void printLine(`! ${name}: ${text}`);
          await restoreStage(project, stage, { ...locked!, outs: { [path]: content } }, note, { record: false });
          restored++;
        } catch (error) {
          if (!(error instanceof ReproError)) throw error;
          problems.push(`${name}: ${error.message}`);
        }
      } else
        problems.push(
          `${name}: ${path} cannot be checked out: ${problem}${cache ? '' : ' (it is kept in git, not in the cache)'}`,
        );
    }
  }
  return { restored, problems };
}

/**
 * Records the current outputs of the targets as if their stages had just run. Without targets, stages with a missing
 * output are left out.
 *
 * @returns the exit code, 0
 * @throws ReproError if an output or an input of a target is missing
 */
export async function commit(targets: readonly string[], options: { force?: boolean }): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    let committed = 0;
    for (const name of select(project.graph, { at: project, targets, single: true })) {
      const stage = project.graph.stages.get(name)!;
      const missing = missingOutputs(project, stage);
      if (missing.length > 0) {
        if (targets.length === 0) continue;
        throw new ReproError(`${name} cannot be committed: ${missing.join(', ')} is missing`, options.force ? 1 : 2);
      }
      const inputs = await project.stageInputs.fingerprint(stage).catch(async (error) => {
        throw error instanceof MissingInputs ? await placeMissing(project, error) : error;
      });
      await commitStage(project, stage, inputs, fingerprintKey(stage, inputs));
      const { paths, text } = await ignoredIn(project, stage.outs);
      if (paths.length > 0) printLine(`! ${name}: ${text}`);
      committed++;
    }
    project.lock.flush();
    printLine(`${plural(committed, 'stage')} committed as ${committed === 1 ? 'it is' : 'they are'}`);
    return 0;
  } finally {
    await project.close();
  }
}
