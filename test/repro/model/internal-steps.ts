/** Changes of repro's own files that the manual allows, and damage: made on disk and in the reference. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { damageObject, removeState, setLock } from './disk.ts';
import type { Step, World } from './world.ts';

/** Writes the settings of a project whose outputs are hard links to the cache. */
export function configureLinks(root: string): void {
  mkdirSync(join(root, '.repro'), { recursive: true });
  writeFileSync(join(root, '.repro/config.yaml'), 'cache: {type: hardlink}\n');
}

/**
 * Makes the change.
 *
 * @param hasLinks whether outputs are hard links to the cache
 */
export function changeInternals(
  root: string,
  { reference, locks }: World,
  { what, object }: Extract<Step, { kind: 'internal' }>,
  hasLinks: boolean,
): void {
  const forgetAll = () => {
    rmSync(join(root, '.repro'), { recursive: true, force: true });
    if (hasLinks) configureLinks(root);
    reference.store = { objects: new Set(), runs: new Map() };
    reference.trash = [];
    reference.marks.clear();
    reference.checkpoints.clear();
    // Without marks and caches, what a killed attempt left is a file like any other.
    reference.uncertain.clear();
  };
  switch (what) {
    case 'state':
      removeState(root);
      break;
    case 'everything':
      forgetAll();
      break;
    case 'lock':
      reference.lock = new Map();
      setLock(root, undefined);
      break;
    case 'old lock': {
      if (locks.length === 0) return;
      const { text, blocks } = locks[Math.floor(locks.length / 2)];
      reference.lock = new Map(blocks);
      setLock(root, text);
      break;
    }
    case 'damage':
      if (!reference.store.objects.delete(object!)) return;
      damageObject(root, object!, Number.parseInt(object![0], 16) < 4);
      break;
    case 'clone': {
      // As after `git clone` of sources and lock: no outputs, and nothing in .repro.
      const before = reference.tree.copy();
      forgetAll();
      for (const path of ['out', 'cells', 'ck']) reference.tree.remove(path);
      reference.tree.toDisk(root, before);
    }
  }
}
