/** Compares what is on disk with the reference. */
import { join } from 'node:path';
import type { Block } from './block.ts';
import type { CodeHashes } from './code-hashes.ts';
import { lockBlocks, objectsIn, recordedRuns, trashOf, workspace } from './disk.ts';
import type { ProjectState, Store } from './project-state.ts';
import { contentOf } from './tree.ts';

/** What differs: of what, and a line for each difference. */
export interface Differences {
  what: string;
  lines: string[];
}

/** Everything that differs between the disk and the reference. */
export function diskDifferences(
  reference: ProjectState,
  { root, remote }: { root: string; remote: string },
  codes: CodeHashes,
): Differences[] {
  return [
    { what: 'files', lines: reference.tree.differences(workspace(root)) },
    { what: 'blocks of the lock', lines: lockDifferences(reference, lockBlocks(root), codes) },
    ...storeDifferences('.repro', reference, reference.store, [join(root, '.repro'), 'cache/sha256'], codes),
    ...(reference.remote === undefined
      ? []
      : storeDifferences('the remote', reference, reference.remote, [remote, 'sha256'], codes)),
    { what: 'the trash', lines: listDifferences(describeTrash(reference.trash), describeTrash(trashOf(root))) },
  ];
}

function lockDifferences({ lock }: ProjectState, locked: Map<string, Block>, codes: CodeHashes): string[] {
  return [...new Set([...lock.keys(), ...locked.keys()])].flatMap((name) => {
    const [should, is] = [lock.get(name), locked.get(name)];
    if (!codes.isSame(is, should))
      return [`${name}: should be ${JSON.stringify(should)}, but is ${JSON.stringify(is)}`];
    if (is !== undefined) codes.learn(is, should!);
    return [];
  });
}

function storeDifferences(
  name: string,
  reference: ProjectState,
  store: Store,
  [folder, objects]: [folder: string, objects: string],
  codes: CodeHashes,
): Differences[] {
  const missing = new Set(store.runs.values());
  const unknown: Block[] = [];
  for (const run of recordedRuns(folder)) {
    const match = [...missing].find((block) => codes.isSame(run, block));
    if (match === undefined) unknown.push(run);
    else missing.delete(match);
  }
  const lines = [
    ...[...missing].map((run) => `missing: ${JSON.stringify(run)}`),
    ...unknown.map((run) => `too much: ${JSON.stringify(run)}`),
  ];
  const whole = [...objectsIn(join(folder, objects))].filter(([hash, isWhole]) => isWhole && reference.knows(hash));
  const should = [...store.objects].filter((hash) => !hash.startsWith('code'));
  const is = whole.map(([hash]) => hash);
  return [
    { what: `runs of ${name}`, lines },
    { what: `objects of ${name}`, lines: listDifferences(should, is) },
  ];
}

/** What is in the trash, one line for each path. */
export function describeTrash(trash: ProjectState['trash']): string[] {
  return trash.map(({ path, subtree }) => `${path} ${contentOf(subtree).sha256}`);
}

/** What the trash has now and the reference does not know yet, and what the cache has. */
export function lookAround(reference: ProjectState, root: string): ProjectState['seen'] {
  const inTrash = describeTrash(trashOf(root));
  for (const entry of describeTrash(reference.trash)) {
    const index = inTrash.indexOf(entry);
    if (index >= 0) inTrash.splice(index, 1);
  }
  const objects = [...objectsIn(join(root, '.repro/cache/sha256'))];
  return {
    inTrash: new Set(inTrash),
    inCache: new Set(objects.filter(([, isWhole]) => isWhole).map(([hash]) => hash)),
  };
}

/** One line for each entry that only one of two lists has. */
export function listDifferences(should: readonly string[], is: readonly string[]): string[] {
  const left = [...is];
  const missing = should.filter((entry) => {
    const index = left.indexOf(entry);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
  return [...missing.map((entry) => `missing: ${entry}`), ...left.map((entry) => `too much: ${entry}`)];
}
