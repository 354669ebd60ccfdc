/** The GPU engine over the fake driver, if it can be tested here. */
import { loadAddon } from '../../../lib/engine/gpu/device/addon.ts';
import { openGpu } from '../../../lib/engine/gpu/index.ts';
import type { Engine, EngineOptions } from '../../../lib/engine/index.ts';
import { StaleAddonError } from '../../../native/built.mjs';
import { buildFakeDriver, hasCompiler } from './build.ts';

/** Whether there are a compiler for the fake driver, and the addon of native/cuda. */
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

/** Runs `use` with the fake driver in place of the driver. */
export function withFakeDriver<T>(use: () => T): T {
  process.env.CUDA_DRIVER_LIBRARY = buildFakeDriver();
  try {
    return use();
  } finally {
    delete process.env.CUDA_DRIVER_LIBRARY;
  }
}

/** Opens the GPU engine over the fake driver. */
export const openFakeGpu = (options: EngineOptions = {}): Engine => withFakeDriver(() => openGpu(options));
