/**
 * Opens cuBLASLt, NVIDIA's library of matrix products, if it is installed. It is optional. It comes with CUDA's toolkit and
 * with PyTorch.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../interface/index.ts';
import type { ProductShape } from './addon.ts';
import type { Device } from './device.ts';

/** An open cuBLASLt. */
export interface Cublas {
  /** "12.8.4" */
  readonly version: string;
  /** Bytes. No product needs more workspace. */
  readonly largestWorkspace: number;
  /** Bytes of workspace that such a product needs; undefined if the library has no algorithm for it. */
  workspaceOf(shape: ProductShape): number | undefined;
}

/** File names of the library, newest first. Its major version is CUDA's. */
const NAMES =
  process.platform === 'win32'
    ? [13, 12, 11].map((major) => `cublasLt64_${major}.dll`)
    : [13, 12, 11].map((major) => `libcublasLt.so.${major}`);

/** Bytes of workspace that NVIDIA recommends: 32 MiB on Hopper and newer, 4 MiB before. */
const largestWorkspace = (compute: number) => (compute >= 90 ? 32 : 4) * 2 ** 20;

/**
 * Opens the newest cuBLASLt that works with the driver. The variable CUBLASLT_LIBRARY names the library, or a folder that
 * holds it, such as site-packages/nvidia/cublas/lib of PyTorch. Without it, the loader searches its own folders. A warning
 * on stderr says why the library that CUBLASLT_LIBRARY names was not opened.
 *
 * @param required whether it is an error if there is none
 * @returns undefined if there is none
 * @throws EngineError that says in one sentence where it was searched, and why it was not opened
 */
export function openCublas(device: Device, required: boolean): Cublas | undefined {
  const libraries = candidates();
  try {
    if (libraries.length === 0)
      throw new Error('CUDA_DRIVER_LIBRARY names another driver, and CUBLASLT_LIBRARY nothing');
    const largest = largestWorkspace(device.properties.compute);
    const { version } = device.openProducts(libraries, largest);
    return {
      version: versionText(version),
      largestWorkspace: largest,
      workspaceOf: (shape) => device.workspaceOf(shape),
    };
  } catch (error) {
    const reasons = describeReasons((error as Error).message);
    if (required)
      throw new EngineError(
        `there is no cuBLASLt to multiply with (${reasons}); install it, name the library or its folder in CUBLASLT_LIBRARY, or set train.products to auto or own`,
        { cause: error },
      );
    if (process.env.CUBLASLT_LIBRARY)
      process.stderr.write(
        `warning: multiplying without cuBLASLt, although CUBLASLT_LIBRARY is set to ${process.env.CUBLASLT_LIBRARY}: ${reasons}\n`,
      );
    return undefined;
  }
}

/** How the loaders of Linux and of Windows say that a file does not exist. */
const MISSING =
  /: (cannot open shared object file: No such file or directory|The specified module could not be found\.)$/;

/**
 * Joins the reasons why each library was not opened. Files that do not exist are named in one clause.
 *
 * @param lines one for each library, which begins with its path
 */
function describeReasons(lines: string): string {
  const all = lines.split('\n');
  const isMissing = (line: string) => MISSING.test(line);
  const missing = all.filter(isMissing).map((line) => line.replace(MISSING, ''));
  const others = all.filter((line) => !isMissing(line));
  const names =
    missing.length > 1 ? `${missing.slice(0, -1).join(', ')} and ${missing.at(-1)} were` : `${missing[0]} was`;
  return [...others, ...(missing.length > 0 ? [`${names} not found`] : [])].join('; ');
}

/** @returns the files to try, in this order */
function candidates(): string[] {
  const named = process.env.CUBLASLT_LIBRARY;
  if (named) return isFolder(named) ? inFolder(named) : [named];
  // On the memory of a stand-in for the driver, the real library would crash.
  return process.env.CUDA_DRIVER_LIBRARY ? [] : NAMES;
}

/** @returns the libraries that the folder holds; if it holds none, all names, so that the error names them */
function inFolder(folder: string): string[] {
  const paths = NAMES.map((name) => join(folder, name));
  const existing = paths.filter((path) => existsSync(path));
  return existing.length > 0 ? existing : paths;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** 120804 → "12.8.4" */
function versionText(version: number): string {
  return [Math.floor(version / 10000), Math.floor((version % 10000) / 100), version % 100].join('.');
}
