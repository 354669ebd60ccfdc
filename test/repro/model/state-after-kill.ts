/**
 * What a killed call left: it must be between the states before and after the call. Everything that was recorded is either
 * old or what the whole call would have recorded.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { json, keyOfBlock } from './block.ts';
import type { CodeHashes } from './code-hashes.ts';
import { checkpointMark, lockBlocks, objectsIn, recordedRuns, trashOf, workspace } from './disk.ts';
import type { Store } from './project-state.ts';
import type { Reference } from './reference.ts';
import { within } from './tree.ts';

/**
 * Reads the state from the disk.
 *
 * @param place the folders of the project and its remote
 * @param marks those of checkpoints before the call, by stage
 * @returns the state, and one sentence for each thing that is neither as before nor as after
 */
export function stateAfterKill(
  before: Reference,
  after: Reference,
  { root, remote }: { root: string; remote: string },
  marks: ReadonlyMap<string, string | undefined>,
  codes: CodeHashes,
): { state: Reference; problems: string[] } {
  const real = before.copy();
  real.tree = workspace(root);
  const problems: string[] = [];
  // Only what the stages make, and what a call removes, may differ.
  const made = new Set<string>();
  for (const { name, outs, checkpoint } of before.stages) {
    const isTouched = json(before.lock.get(name)) !== json(after.lock.get(name)) || after.touched.has(name);
    if (isTouched)
      for (const path of [...outs.map((out) => out.path), ...(checkpoint ? [checkpoint] : [])]) made.add(path);
  }
  for (const path of new Set([...before.tree.paths, ...real.tree.paths, ...after.tree.paths])) {
    if ([...made].some((out) => within(out, path))) continue;
    const [was, is, will] = [before, real, after].map(({ tree }) =>
      json(tree.isFolder(path) ? 'folder' : (tree.file(path) ?? null)),
    );
    // A folder above an output may be there already.
    if (is === was || is === will || (is === '"folder"' && [...made].some((out) => within(path, out)))) continue;
    problems.push(`${path} is ${is}, but was ${was} and should become ${will}`);
  }
  const blocks = lockBlocks(root);
  real.lock = new Map();
  for (const name of new Set([...blocks.keys(), ...before.lock.keys(), ...after.lock.keys()])) {
    const allowed = [before.lock.get(name), after.lock.get(name)];
    const found = blocks.get(name);
    const match = allowed.find((block) => codes.isSame(found, block));
    if (match !== undefined) real.lock.set(name, match);
    else if (found !== undefined || !allowed.includes(undefined))
      problems.push(
        `the lock's block of ${name} is ${json(found)}, but was or should become ${allowed.map(json).join(' or ')}`,
      );
  }
  const takeStore = (folder: string, objects: string, was: Store, will: Store): Store => {
    const store: Store = { objects: new Set(), runs: new Map() };
    // Runs of a stage before and after an edit of its code may look alike here, so each key matches once.
    let allowed = [...was.runs, ...will.runs];
    for (const run of recordedRuns(folder)) {
      const [key, match] = allowed.find(([, block]) => codes.isSame(run, block)) ?? [''];
      allowed = allowed.filter(([other]) => other !== key);
      if (match === undefined) problems.push(`the recorded run ${json(run)} is neither old nor new`);
      else store.runs.set(keyOfBlock(match), match);
    }
    for (const [hash, isWhole] of objectsIn(join(folder, objects)))
      if (isWhole && real.knows(hash)) store.objects.add(hash);
    // The hashes of modules are repro's own: what was there counts as there.
    for (const hash of [...was.objects, ...will.objects]) if (hash.startsWith('code')) store.objects.add(hash);
    for (const hash of was.objects)
      if (will.objects.has(hash) && !store.objects.has(hash)) problems.push(`the object ${hash} is gone`);
    return store;
  };
  real.store = takeStore(join(root, '.repro'), 'cache/sha256', before.store, after.store);
  // A push that is killed early has not made the folder yet.
  if (existsSync(remote) && (before.remote || after.remote))
    real.remote = takeStore(remote, 'sha256', before.remote ?? emptyStore(), after.remote ?? emptyStore());
  real.trash = trashOf(root);
  // What an attempt left that repro may not have recorded.
  for (const path of made) real.uncertain.add(path);
  for (const { name, checkpoint } of before.stages) {
    const mark = checkpointMark(root, name);
    if (mark === undefined) real.checkpoints.delete(name);
    else if (mark !== marks.get(name))
      real.checkpoints.set(name, {
        ...(after.touched.get(name) ?? { key: '', path: checkpoint! }),
        isBegun: !('own' in JSON.parse(mark)),
        isEdited: false,
      });
  }
  return { state: real, problems };
}

function emptyStore(): Store {
  return { objects: new Set(), runs: new Map() };
}
