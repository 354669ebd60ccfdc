/** Whether the addon is built here, and what this CPU has: without it its tests are skipped, in words. */

import { type Addon, loadAddon } from '../../lib/engine/native/native-addon.ts';
import { StaleAddonError } from '../../native/built.mjs';

const addon = load();

function load(): Addon | undefined {
  try {
    return loadAddon();
  } catch (error) {
    if (error instanceof StaleAddonError) throw error;
    return undefined;
  }
}

export const isBuilt = addon !== undefined;
/** names that ENGINE_ISA takes */
export const instructionSets = ['generic', 'avx2', 'avx512', 'avx512bf16', 'amx'].filter(
  (set) => addon?.kernelsName(set, 'fp32') !== undefined,
);
