/**
 * The parts of a dependency that is a folder above outputs of other stages. Its own hash needs the list of all files in
 * it. The hash of its parts is that of a shorter list, in which an output that is a folder is one line:
 *
 *   files of samples/     its parts
 *     README                README   as it is on disk
 *     a/1, a/2, a/3         a/       as the lock records the output samples/a
 *     b/1, b/2              b/       as the lock records the output samples/b
 *
 * A run records this hash in the lock. If a clone without the outputs finds the same hash, then the folder is as the
 * run read it. Another hash says nothing: the same files may be outputs of other stages now.
 */
import { type Content, folderOf, type ManifestEntry, parseManifest, sha256 } from '../hashing/index.ts';
import { contains, type Stage } from '../pipeline/index.ts';
import type { Fingerprint } from '../storage/index.ts';
import type { Project } from './project.ts';

/**
 * Hashes the parts of a folder.
 *
 * @param folder relative to the root
 * @param files the files that are in the folder now
 * @param outs the paths of outputs inside of the folder
 * @param assumed the content of outputs that are missing, by path
 */
export function partsHash(
  folder: string,
  files: readonly ManifestEntry[],
  outs: Iterable<string>,
  assumed: ReadonlyMap<string, Content> = new Map(),
): string {
  const inFolder = (path: string) => (folder === '.' ? path : path.slice(folder.length + 1));
  const filesOf = new Map<string, ManifestEntry[]>([...outs].map((out) => [inFolder(out), []]));
  const lines: string[] = [];
  for (const entry of files) {
    const out = partAbove(entry.path, filesOf);
    if (out !== undefined) filesOf.get(out)!.push(entry);
    else if (!isAboveOutput(entry.path, filesOf)) lines.push(lineOf(entry.path, entry));
  }
  for (const [out, content] of assumed) if (filesOf.has(inFolder(out))) lines.push(lineOf(inFolder(out), content));
  for (const [path, entries] of filesOf) {
    // An output of its own may hold another list of links than as a part of the folder, see links.ts.
    const isFolder = entries[0]?.path.startsWith(`${path}/`) && entries.every(({ link }) => link === undefined);
    if (!isFolder) lines.push(...entries.map((entry) => lineOf(entry.path, entry)));
    else {
      const inside = entries.map((entry) => ({ ...entry, path: entry.path.slice(path.length + 1) }));
      // The line of an empty folder is not part of its own list.
      lines.push(lineOf(path, folderOf(inside.filter((entry) => entry.path !== '')).content));
    }
  }
  return sha256(lines.sort().join(''));
}

/** The line of a file, or of an output that is a folder. */
function lineOf(path: string, { sha256, size, files, executable, link }: Partial<Content & ManifestEntry>): string {
  const line = { path: files === undefined ? path : `${path}/`, sha256, size, files, executable, link };
  return `${JSON.stringify(line)}\n`;
}

/** The output that is or holds a path. */
function partAbove(path: string, outs: ReadonlyMap<string, unknown>): string | undefined {
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const above = path.slice(0, end);
    if (outs.has(above)) return above;
  }
  return undefined;
}

/** Whether an entry is an empty folder that has a line only because the outputs in it are missing. */
function isAboveOutput(path: string, outs: ReadonlyMap<string, unknown>): boolean {
  return path.endsWith('/') && [...outs.keys()].some((out) => out.startsWith(path));
}

/** The paths of outputs of other stages that are inside `folder`, a dependency of a stage. */
export function outputsInside({ graph }: Project, stage: Stage, folder: string) {
  const makers = graph.upstream.get(stage.name) ?? [];
  const outs = makers.flatMap((name) => graph.stages.get(name)!.outs.map(({ path }) => path));
  return outs.filter((path) => path !== folder && contains(folder, path));
}

/**
 * The hashes for the lock: of the parts of each dependency that holds an output that is a folder. Where all outputs are
 * files, the lock has all that the folder's own hash needs.
 *
 * @param inputs the stage's inputs, as they are in the workspace
 */
export async function partsOfInputs(
  project: Project,
  stage: Stage,
  inputs: Fingerprint,
): Promise<{ [path: string]: string }> {
  const parts: { [path: string]: string } = {};
  for (const [path, content] of Object.entries(inputs.deps)) {
    if (content?.files === undefined) continue;
    const outs = outputsInside(project, stage, path);
    if (outs.length === 0) continue;
    const scanned = await project.stageInputs.scan(path);
    if (scanned?.manifest === undefined || scanned.content.sha256 !== content.sha256) continue;
    const files = parseManifest(scanned.manifest);
    const paths = new Set(files.map((entry) => (path === '.' ? entry.path : `${path}/${entry.path}`)));
    if (outs.some((out) => !paths.has(out))) parts[path] = partsHash(path, files, outs);
  }
  return parts;
}
