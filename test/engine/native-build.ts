/** Whether the addon is built here, and what this CPU has: without it its tests are skipped, in words. */
import { type Addon, loadAddon } from '../../lib/engine/native-addon.ts';

const addon = load();

function load(): Addon | undefined {
  try {
    return loadAddon();
  } catch {
    return undefined;
  }
}

export const isBuilt = addon !== undefined;
/** names that ENGINE_ISA takes */
export const instructionSets = ['generic', 'avx2', 'avx512'].filter((set) => addon?.kernelsName(set) !== undefined);
