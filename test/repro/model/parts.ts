/** The hashes in the lock of folders above outputs of other stages, with one line for each output that is a folder. */
import type { Block } from './block.ts';
import type { ProjectState } from './project-state.ts';
import { type PlainStage, upstreamOf } from './stages.ts';
import { contentOf, type Subtree, sha256, within } from './tree.ts';

/** The parts of a stage's dependencies as they are. Empty where each output in them is a file. */
export function partsOf(state: ProjectState, stage: PlainStage): Pick<Block, 'parts'> {
  const outs = upstreamOf(stage, state.stages).flatMap((other) => other.outs.map(({ path }) => path));
  const parts: { [path: string]: string } = {};
  for (const { path } of stage.deps) {
    const inside = outs.filter((out) => out !== path && within(path, out));
    if (!state.tree.isFolder(path) || inside.every((out) => state.tree.file(out) !== undefined)) continue;
    parts[path] = partsHash(
      state.tree.subtree(path),
      inside.map((out) => out.slice(path.length + 1)),
    );
  }
  return Object.keys(parts).length > 0 ? { parts } : {};
}

/** The parts of a recorded run. */
export function partsIn({ parts }: Block): Pick<Block, 'parts'> {
  return parts ? { parts } : {};
}

function partsHash(folder: Subtree, outs: readonly string[]): string {
  const lines = [...folder].flatMap(([path, node]) => {
    if (path === '' || outs.some((out) => out !== path && within(out, path))) return [];
    const below = new Map([...folder].filter(([other]) => within(path, other)));
    if (node === 'folder' && !outs.includes(path)) return below.size === 1 ? [{ path: `${path}/` }] : [];
    const own = new Map([...below].map(([other, file]) => [other.slice(path.length).replace(/^\//, ''), file]));
    const { sha256, size, files, executable } = contentOf(own);
    return [{ path: node === 'folder' ? `${path}/` : path, sha256, size, files, executable }];
  });
  return sha256(
    lines
      .map((line) => `${JSON.stringify(line)}\n`)
      .sort()
      .join(''),
  );
}
