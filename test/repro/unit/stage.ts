/** A stage as data, for the unit tests. */
import type { Resources, Stage } from '../../../lib/repro/pipeline/index.ts';

/** A stage with the command `true` and nothing else, changed by `parts`. */
export function stage(name: string, parts: Partial<Stage>): Stage {
  return {
    name,
    group: name,
    cmd: ['true'],
    wdir: '.',
    deps: [],
    code: [],
    params: [],
    env: {},
    outs: [],
    resources: resources({}),
    frozen: false,
    alwaysChanged: false,
    retries: 0,
    source: ['stages', name],
    ...parts,
  };
}

/** The resources of a stage that needs only a place (-j), changed by `parts`. */
export function resources(parts: Partial<Resources>): Resources {
  return { gpus: 0, cpus: 0, memory: 0, limits: {}, ...parts };
}
