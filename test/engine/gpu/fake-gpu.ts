/** Whether the GPU engine can be tested here: over the fake driver, with the addon of native/cuda. */
import { loadAddon } from '../../../lib/engine/gpu/addon.ts';
import { StaleAddonError } from '../../../native/built.mjs';
import { hasCompiler } from './build.ts';

export const gpuIsTestable = hasCompiler && addonIsBuilt();

function addonIsBuilt(): boolean {
  try {
    loadAddon();
    return true;
  } catch (error) {
    if (error instanceof StaleAddonError) throw error;
    return false;
  }
}
