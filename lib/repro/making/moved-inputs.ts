/** Finds the inputs of a stage that changed while its commands were running. */
import { basename } from 'node:path';
import { canonical, type Json } from '../documents/index.ts';
import { type Content, sameContent } from '../hashing/index.ts';
import { commandText, type Stage } from '../pipeline/index.ts';
import { MissingInputs, type Project } from '../planning/index.ts';
import type { Fingerprint } from '../storage/index.ts';

/**
 * The params that were edited during the run and that a command may have read from the file itself. A param that a
 * template puts into the commands was given to them, so they need not read it. It does not count, unless a command also
 * names the file.
 *
 * @returns dotted keys by file
 */
export async function paramsReadDirectly(project: Project, stage: Stage): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const commands = stage.cmd.map(commandText).join('\n');
  for (const [file, keys] of await project.stageInputs.editedParams(stage)) {
    const isNamed = commands.includes(basename(file)) || !project.pipeline.sources.includes(file);
    const given = isNamed ? [] : (stage.given ?? []);
    const direct = keys.filter((key) => !given.some((name) => key === name || key.startsWith(`${name}.`)));
    if (direct.length > 0) found.set(file, direct);
  }
  return found;
}

/**
 * The inputs of a stage that changed while it ran.
 *
 * @param before the inputs before the commands began
 * @param readFromCopy params files that the programs have read from copies
 * @returns paths of dependencies, code and params files, and names of packages. If inputs are missing now, only these
 * @throws ReproError if an input cannot be read
 */
export async function movedInputs(
  project: Project,
  stage: Stage,
  before: Fingerprint,
  readFromCopy: ReadonlySet<string>,
): Promise<string[]> {
  let after: Fingerprint;
  try {
    after = await project.stageInputs.fingerprint(stage);
  } catch (error) {
    if (error instanceof MissingInputs) return error.missing.map(({ path }) => path);
    throw error;
  }
  const changed = (old: { [name: string]: Content | null }, now: { [name: string]: Content | null }) =>
    Object.keys(now).filter((name) => !sameContent(old[name], now[name]));
  const params = Object.keys(after.params).filter(
    (file) => canonical(before.params[file] as Json) !== canonical(after.params[file] as Json),
  );
  for (const file of (await paramsReadDirectly(project, stage)).keys()) if (!readFromCopy.has(file)) params.push(file);
  const packages = Object.keys(after.packages ?? {}).filter(
    (name) => before.packages?.[name] !== after.packages?.[name],
  );
  return [...changed(before.deps, after.deps), ...changed(before.code, after.code), ...params, ...packages];
}
