/**
 * NVIDIA's compilers from PyPI, in a virtual environment below dist/cuda. They need neither a GPU nor a driver. The versions
 * are pinned, so that the same sources give the same PTX.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';

const ROOT = join(import.meta.dirname, '../..');
const VENV = join(ROOT, 'dist/cuda/venv');

/** NVRTC makes the PTX. */
export const NVRTC = 'nvidia-cuda-nvrtc-cu12==12.4.127';
/** ptxas of this version knows sm_80 to sm_120. */
export const NVCC = 'nvidia-cuda-nvcc-cu12==12.8.93';

/** @returns the folder of the virtual environment, with the packages in it */
export async function toolchain(...packages: string[]): Promise<string> {
  if (!existsSync(VENV)) await $`python3 -m venv ${VENV}`;
  if (packages.length > 0)
    await $({ quiet: true })`${VENV}/bin/pip install --quiet --disable-pip-version-check ${packages}`;
  return VENV;
}
