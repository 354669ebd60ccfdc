/**
 * Checks the paths that repro removes before a stage runs: outputs and checkpoints. They must lie inside the pipeline's
 * folder and must not touch a file that repro, git or another stage needs. graph.ts checks that outputs do not overlap.
 */

import { contains, isOutside, PARAMS, PIPELINE, type Stage } from '../pipeline/index.ts';
import { GraphError } from './graph-error.ts';
import { PathIndex } from './path-index.ts';

/** The lock's name; storage writes it. */
const LOCK_FILE = 'dvc-like.lock';

/** Its name; hashing reads it. A stage that wrote it would change what counts while it runs. */
const IGNORE_FILE = '.reproignore';

/** The only folder of .repro that a stage may use. */
const CHECKPOINTS = '.repro/checkpoints';

/**
 * Checks the outputs and checkpoints of all stages.
 *
 * @param sources the files that the pipeline is read from, relative to its folder
 * @throws GraphError for the first path that repro must not remove
 */
export function checkRemovedPaths(stages: readonly Stage[], sources: readonly string[]): void {
  const reserved = [...new Set([PIPELINE, PARAMS, LOCK_FILE, IGNORE_FILE, ...sources, '.git', '.repro'])];
  const reservedIn = (path: string) =>
    path.split('/').includes('.git') ? '.git' : reserved.find((own) => contains(path, own) || contains(own, path));
  for (const { name, outs } of stages)
    for (const { path } of outs) {
      const own = reservedIn(path);
      if (own !== undefined) throw new GraphError(name, `${name}: the output "${path}" cannot be or contain ${own}`);
    }
  if (stages.every(({ checkpoint }) => checkpoint === undefined)) return;

  const uses = indexUses(stages);
  const folders = new PathIndex(stages.map(({ name, wdir }) => [wdir, name] as const));
  for (const { name, checkpoint: path } of stages) {
    if (path === undefined) continue;
    const refuse = (rest: string) =>
      new GraphError(name, `${name}: the checkpoint "${path}" ${rest}. repro removes checkpoints`, ['checkpoint']);
    if (path === '.' || isOutside(path)) throw refuse("must lie inside the pipeline's folder");
    const own = contains(CHECKPOINTS, path) ? undefined : reservedIn(path);
    if (own !== undefined) throw refuse(`cannot be or contain ${own}, or lie in it`);
    const other = uses.meeting(path).find(({ stage, what }) => what !== 'checkpoint' || stage !== name);
    if (other !== undefined) throw refuse(`overlaps with the ${other.what} "${other.path}" of ${other.stage}`);
    const [runner] = folders.within(path);
    if (runner !== undefined) throw refuse(`holds the working folder of ${runner}`);
  }
}

/** A path in a stage's definition. */
interface StagePath {
  path: string;
  stage: string;
  what: 'dependency' | 'code' | 'params file' | 'output' | 'checkpoint';
}

/** All paths that stages read or write. A stage that depends on the whole project does not read what is in .repro. */
function indexUses(stages: readonly Stage[]): PathIndex<StagePath> {
  const found: StagePath[] = [];
  for (const { name: stage, deps, code, params, outs, checkpoint } of stages) {
    for (const { path } of deps) found.push({ path, stage, what: 'dependency' });
    for (const path of code) found.push({ path, stage, what: 'code' });
    for (const { file: path } of params) found.push({ path, stage, what: 'params file' });
    for (const { path } of outs) found.push({ path, stage, what: 'output' });
    if (checkpoint !== undefined) found.push({ path: checkpoint, stage, what: 'checkpoint' });
  }
  return new PathIndex(found.map((use) => [use.path, use] as const));
}
