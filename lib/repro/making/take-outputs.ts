/** Takes what a stage made into the cache, and puts the outputs of a recorded run in place. Nothing is recorded. */
import { join } from 'node:path';
import { statOrUndefined } from '../freshness/index.ts';
import { type Content, sameContent } from '../hashing/index.ts';
import { ReproError } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { type Project, setAside } from '../planning/index.ts';
import type { LockedStage } from '../storage/index.ts';
import { saveInputLists } from './input-changes.ts';

/** The run cache also keeps outputs that git keeps, up to this size in bytes, so that a run can be restored whole. */
const MAX_KEPT_FOR_RESTORING = 1 << 20;

/** The paths of a stage's outputs that do not exist. */
export function missingOutputs({ root }: Project, stage: Stage): string[] {
  return stage.outs.map(({ path }) => path).filter((path) => statOrUndefined(join(root, path)) === undefined);
}

/**
 * Takes a stage's outputs into the cache, with the lists of its inputs that later calls compare.
 *
 * @returns the contents by path
 * @throws ReproError if an output is missing, or the cache cannot be written
 */
export async function takeOutputs(project: Project, stage: Stage): Promise<{ [path: string]: Content }> {
  const outs: { [path: string]: Content } = {};
  for (const out of stage.outs) {
    const scanned = out.cache ? undefined : await project.stageInputs.scan(out.path);
    const isCached = scanned === undefined || scanned.content.size <= MAX_KEPT_FOR_RESTORING;
    outs[out.path] = isCached ? await project.cache.take(out) : scanned.content;
  }
  if (stage.incremental) await saveInputLists(project, stage);
  for (const entry of stage.code) {
    const closure = await project.stageInputs.closure(entry);
    if (closure) await project.cache.saveManifest(closure);
  }
  return outs;
}

/**
 * Puts the outputs of an earlier run in place.
 *
 * @param block the run, from the run cache or the lock
 * @param note is called with a sentence about files that were moved to the trash
 * @throws ReproError if an output is not in the cache, or is damaged there
 */
export async function restoreOutputs(
  project: Project,
  stage: Stage,
  block: LockedStage,
  note: (text: string) => void,
): Promise<void> {
  const moved = await setAside(project, stage, { restored: block });
  if (moved !== undefined) note(moved);
  for (const [path, content] of Object.entries(block.outs ?? {})) {
    if (sameContent((await project.stageInputs.output(path)).content, content)) continue;
    await project.cache.restore(stage.outs.find((out) => out.path === path)!, content);
    project.stageInputs.forget();
    const after = (await project.stageInputs.scan(path))?.content;
    if (!sameContent(after, content)) throw new ReproError(`${path} could not be restored as it was`, 1);
  }
}
