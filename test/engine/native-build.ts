/**
 * Loads the addon, if it is built, and lists the instruction sets of this CPU. Without the addon, tests of the native
 * engine are skipped.
 */
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

/** Whether the addon is built. */
export const isBuilt = addon !== undefined;
/** The values of ENGINE_ISA that this CPU supports. */
export const instructionSets = ['generic', 'avx2', 'avx512', 'avx512bf16', 'amx'].filter(
  (set) => addon?.kernelsName(set, 'fp32') !== undefined,
);
