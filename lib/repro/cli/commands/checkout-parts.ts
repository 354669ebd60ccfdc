/** `repro checkout FOLDER/FILE`: restores files in an output that is a folder, and leaves its other files as they are. */
import { join } from 'node:path';
import { lstatOrUndefined } from '../../freshness/index.ts';
import { contentWithin, type ManifestEntry, sameContent } from '../../hashing/index.ts';
import { ReproError } from '../../messages/index.ts';
import { contains, type Output } from '../../pipeline/index.ts';
import type { Project } from '../../planning/index.ts';
import { moveToTrash } from '../../workspace/index.ts';

/**
 * Restores the files at these paths, and in these folders, that differ from the lock. What stands in their place moves
 * to the trash.
 *
 * @param paths normalised; each lies in an output
 * @param note is called with a sentence about files that were moved
 * @returns the number of restored files, and one sentence for each that could not be restored
 */
export async function checkOutParts(
  project: Project,
  paths: readonly string[],
  note: (text: string) => void,
): Promise<{ restored: number; problems: string[] }> {
  let restored = 0;
  const problems: string[] = [];
  for (const path of paths)
    try {
      restored += await checkOutPart(project, path, note);
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      problems.push(error.message);
    }
  return { restored, problems };
}

async function checkOutPart(project: Project, path: string, note: (text: string) => void): Promise<number> {
  const stages = [...project.graph.stages.values()];
  const stage = stages.find(({ outs }) => outs.some((out) => contains(out.path, path)))!;
  const out = stage.outs.find((each) => contains(each.path, path))!;
  const recorded = project.lock.get(stage.name)?.outs?.[out.path];
  const cannot = (why: string) => new ReproError(`${path} cannot be checked out: ${why}`, 1);
  if (recorded === undefined) throw cannot(`the lock does not have ${out.path} of ${stage.name}`);
  const manifest = project.cache.manifest(recorded.sha256);
  if (manifest === undefined)
    throw cannot(`the cache does not have the list of files of ${out.path}: repro pull ${stage.name}`);
  const inside = path.slice(out.path.length + 1);
  const entries = manifest.filter((entry) => contains(inside, entry.path.replace(/\/$/, '')));
  if (entries.length === 0) throw cannot(`${out.path} was recorded without it`);
  let restored = 0;
  for (const entry of entries) if (await checkOutFile(project, stage.name, out, entry, manifest, note)) restored++;
  return restored;
}

/** Whether the file had to be restored. */
async function checkOutFile(
  project: Project,
  stage: string,
  out: Output,
  entry: ManifestEntry,
  manifest: readonly ManifestEntry[],
  note: (text: string) => void,
): Promise<boolean> {
  const file = `${out.path}/${entry.path}`;
  if (entry.link !== undefined)
    throw new ReproError(
      `${file} is a symbolic link, which only comes back with the whole output: repro checkout ${stage}`,
      1,
    );
  if (entry.sha256 === undefined) return false; // An empty folder.
  const content = contentWithin(manifest, entry.path)!;
  if (sameContent((await project.stageInputs.output(file)).content, content)) return false;
  const [problem] = await project.cache.problems(content);
  if (problem !== undefined) throw new ReproError(`${file} cannot be checked out: ${problem}`, 1);
  if (lstatOrUndefined(join(project.root, file)) !== undefined)
    note(`${stage}: moved ${file} to ${moveToTrash(project.root, stage, [file])}`);
  await project.cache.restore({ ...out, path: file }, content);
  return true;
}
