/**
 * `repro verify STAGE`: runs a stage from nothing in a copy of the project, and compares the outputs with those of the
 * project. It shows whether an incremental stage does what a full run would do, and whether a stage is deterministic.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { select } from '../../graph/index.ts';
import { type ManifestEntry, parseManifest, sameContent } from '../../hashing/index.ts';
import { listNames, ReproError } from '../../messages/index.ts';
import { isOutside, type Stage } from '../../pipeline/index.ts';
import { makePlan, openProject, type Project } from '../../planning/index.ts';
import { printLine } from '../output.ts';
import { run } from './run.ts';
import { copyForStage, removeScratch, scratchFolder } from './scratch-project.ts';

/** How many files of a difference are named. */
const MAX_NAMED = 10;

/**
 * Verifies stages, one after another. The copy is removed, unless an output differs: then it can be looked at.
 *
 * @returns the exit code: 1 if an output differs or a stage fails in the copy, else 0
 * @throws ReproError if a stage is not up to date, or reads something outside of the project
 */
export async function verify(targets: readonly string[]): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    const names = select(project.graph, { at: project, targets, single: true });
    const plan = await makePlan(project, [...project.graph.stages.keys()], {});
    const stages = names.map((name) => project.graph.stages.get(name)!);
    for (const stage of stages) checkVerifiable(stage, plan.find((entry) => entry.stage === stage)!.status.state);
    let exit = 0;
    for (const stage of stages) if (!(await verifyStage(project, stage))) exit = 1;
    return exit;
  } finally {
    await project.close();
  }
}

function checkVerifiable(stage: Stage, state: string): void {
  const { name } = stage;
  if (state !== 'fresh')
    throw new ReproError(`${name} is not up to date, so there is nothing to compare with: repro ${name}`);
  if (stage.outs.length === 0) throw new ReproError(`${name} has no outputs to compare`);
  const inputs = [...stage.deps.map(({ path }) => path), ...stage.params.map(({ file }) => file)];
  const outside = inputs.find(isOutside);
  if (outside !== undefined)
    throw new ReproError(
      `${name} reads ${outside}, which is outside of the pipeline's folder, so a copy would not find it`,
    );
}

async function verifyStage(project: Project, stage: Stage): Promise<boolean> {
  const scratch = scratchFolder(project.root, stage.name);
  removeScratch(project.root, stage.name);
  await copyForStage(project, stage, scratch);
  printLine(`${stage.name}: runs from nothing in ${scratch}`);
  const options = { singleItem: true, runCache: false, commit: true, yes: true, isCopy: true };
  const exit = await run([stage.name], options, join(project.root, scratch));
  project.stageInputs.forget();
  if (exit !== 0) {
    printLine(`✗ ${stage.name}: it fails when it runs from nothing; see ${scratch}`);
    return false;
  }
  const differing = (
    await Promise.all(stage.outs.map(({ path }) => difference(project, path, `${scratch}/${path}`)))
  ).filter((text) => text !== undefined);
  for (const text of differing) printLine(`✗ ${stage.name}: ${text}`);
  if (differing.length > 0) {
    printLine(`the other outputs are in ${scratch}`);
    return false;
  }
  removeScratch(project.root, stage.name);
  printLine(`✓ ${stage.name}: a run from nothing makes the same outputs`);
  return true;
}

/** How an output differs from that of the copy; undefined if it does not. */
async function difference(project: Project, path: string, other: string): Promise<string | undefined> {
  const recorded = await project.stageInputs.scan(path);
  const made = existsSync(join(project.root, other)) ? await project.stageInputs.scan(other) : undefined;
  if (sameContent(recorded?.content, made?.content)) return undefined;
  if (recorded?.manifest === undefined || made?.manifest === undefined) return `${path} differs`;
  const files = (manifest: string) => new Map(parseManifest(manifest).map((entry) => [entry.path, textOf(entry)]));
  const [here, there] = [files(recorded.manifest), files(made.manifest)];
  const changed = [...here.keys()].filter((file) => there.has(file) && there.get(file) !== here.get(file));
  const extra = [...here.keys()].filter((file) => !there.has(file));
  const missing = [...there.keys()].filter((file) => !here.has(file));
  const part = (what: string, names: string[]) =>
    names.length === 0
      ? []
      : [`${what} ${listNames(names.slice(0, MAX_NAMED))}${names.length > MAX_NAMED ? ' …' : ''}`];
  return `${path} differs: ${[
    ...part('other content in', changed),
    ...part('a run from nothing does not make', extra),
    ...part('only a run from nothing makes', missing),
  ].join('; ')}`;
}

function textOf({ sha256, link, executable }: ManifestEntry): string {
  return JSON.stringify([sha256, link, executable]);
}
