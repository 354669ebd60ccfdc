/**
 * Adds the files that a pattern among `deps` matches to the dependencies of its stage. Files that stages make match by
 * their definition, whether they exist or not, so that a pattern can order stages.
 *
 *   deps: [src/*.py]  →  src/*.py (which files match), src/a.py, src/b.py (what is in them)
 */
import { posix } from 'node:path';
import picomatch from 'picomatch';
import type { ContentHasher } from '../hashing/index.ts';
import { ReproError } from '../messages/index.ts';
import { contains, isOutside, type Pipeline, type Stage } from '../pipeline/index.ts';

/** The files that patterns match, apart from those that do not count. */
export class PatternFiles {
  readonly #hasher: ContentHasher;
  readonly #stages: readonly Stage[];
  readonly #left: readonly string[];

  /**
   * @param stages all stages of the pipeline
   * @param left outputs of stages that are not in the pipeline any more; they do not match
   */
  constructor(hasher: ContentHasher, stages: readonly Stage[], left: readonly string[]) {
    this.#hasher = hasher;
    this.#stages = stages;
    this.#left = left.filter((path) => !stages.some(({ outs }) => outs.some((out) => contains(out.path, path))));
  }

  /** The paths that a pattern of a stage matches, sorted. The stage's own outputs are left out. */
  async matching(stage: Pick<Stage, 'name' | 'outs' | 'checkpoint'>, pattern: string): Promise<string[]> {
    const isMatch = picomatch(pattern);
    const own = [...stage.outs.map(({ path }) => path), ...(stage.checkpoint === undefined ? [] : [stage.checkpoint])];
    const found = await this.#hasher.filesMatching(
      folderOf(pattern),
      pattern.includes('**') ? undefined : depthOf(pattern),
      isMatch,
    );
    const made = this.#stages.flatMap(({ outs }) => outs.map(({ path }) => path)).filter((path) => isMatch(path));
    const isLeftOut = (path: string) => [...own, ...this.#left].some((out) => contains(out, path));
    return [...new Set([...found, ...made])].filter((path) => !isLeftOut(path)).sort();
  }
}

/** The pipeline with the files of its patterns. */
export async function expandPatterns(pipeline: Pipeline, files: PatternFiles): Promise<Pipeline> {
  if (!pipeline.stages.some(({ deps }) => deps.some((dep) => dep.isPattern))) return pipeline;
  const stages: Stage[] = [];
  for (const stage of pipeline.stages) {
    const listed = new Set(stage.deps.map(({ path }) => path));
    const added: Stage['deps'] = [];
    for (const { path: pattern, isPattern, optional } of stage.deps) {
      if (!isPattern) continue;
      checkPattern(pipeline, stage, pattern);
      for (const path of await files.matching(stage, pattern))
        if (!listed.has(path)) {
          listed.add(path);
          added.push({ path, optional, pattern });
        }
    }
    stages.push(added.length === 0 ? stage : { ...stage, deps: [...stage.deps, ...added] });
  }
  return { ...pipeline, stages };
}

/** @throws ReproError if files could match that are only known after a run */
function checkPattern({ stages }: Pipeline, stage: Stage, pattern: string): void {
  const folder = folderOf(pattern);
  if (isOutside(folder))
    throw new ReproError(
      `${stage.name}: the pattern "${pattern}" leads outside of the pipeline's folder; list the files or the folder`,
    );
  for (const { name, outs } of stages)
    for (const { path } of outs)
      if (name !== stage.name && folder !== '.' && contains(path, folder))
        throw new ReproError(
          `${stage.name}: the pattern "${pattern}" looks for files in ${path}, which ${name} makes, so they are only known after its run; list ${path} itself`,
        );
}

/** The folder that all matches lie in: `src/*.py` → `src`. */
function folderOf(pattern: string): string {
  const parts = pattern.split('/');
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => /[*?[{(!]/.test(part)),
  );
  return fixed.length === 0 ? '.' : posix.join(...fixed);
}

/** How many folders below `folderOf` a match can lie in. */
function depthOf(pattern: string): number {
  const folder = folderOf(pattern);
  return pattern.split('/').length - 1 - (folder === '.' ? 0 : folder.split('/').length);
}
