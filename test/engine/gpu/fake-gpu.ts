/** The GPU engine over the fake driver, if it can be tested here. */
import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../../lib/engine/gpu/device/addon.ts';
import { openGpu } from '../../../lib/engine/gpu/index.ts';
import type { Engine, EngineOptions } from '../../../lib/engine/index.ts';
import { StaleAddonError } from '../../../native/built.mjs';
import { buildFakeCublas, buildFakeDriver, hasCompiler } from './build.ts';

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

/**
 * A folder with stand-ins for cuBLASLt, as CUBLASLT_LIBRARY may name it.
 *
 * @param majors of their versions: 13 is 13.0.2, 12 is 12.8.4, 11 is 11.11.3
 */
export function fakeCublasFolder(...majors: number[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'fake-cublas-'));
  for (const major of majors) copyFileSync(buildFakeCublas(), join(folder, `libcublasLt.so.${major}`));
  return folder;
}
