/** A stage for the tests of the graph. Only its name and the paths that it reads and writes matter. */
import type { Stage } from '../../../lib/repro/pipeline/index.ts';
import { stage } from './stage.ts';

interface Paths {
  deps?: string[];
  code?: string[];
  params?: string[];
  outs?: string[];
}

/** A stage that reads and writes these paths. */
export function linkedStage(name: string, { deps = [], code = [], params = [], outs = [] }: Paths = {}): Stage {
  return stage(name, {
    group: name.split('@')[0],
    deps: deps.map((path) => ({ path, optional: false })),
    code,
    params: params.map((file) => ({ file, keys: undefined })),
    outs: outs.map((path) => ({ path, kind: 'out', cache: true, persist: false })),
  });
}
