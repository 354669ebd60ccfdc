/** The outputs of a pipeline, and what stages read in them. */

import type { Stage } from '../pipeline/index.ts';
import { ancestors } from './path-index.ts';

/** Paths relative to the pipeline's folder. */
export interface PathsInOutputs {
  outputs: ReadonlySet<string>;
  /** Inputs that lie in an output, and the folders between the two. */
  read: ReadonlySet<string>;
}

/** Finds them for all stages. */
export function pathsInOutputs(stages: readonly Stage[]): PathsInOutputs {
  const outputs = new Set(stages.flatMap(({ outs }) => outs.map(({ path }) => path)));
  const read = new Set<string>();
  for (const { deps, code, params } of stages)
    for (const path of [...deps.map((dep) => dep.path), ...code, ...params.map(({ file }) => file)]) {
      const folders = ancestors(path);
      const at = folders.findIndex((folder) => outputs.has(folder));
      if (at === -1) continue;
      for (const between of [path, ...folders.slice(0, at)]) read.add(between);
    }
  return { outputs, read };
}
