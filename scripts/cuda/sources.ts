/** The kernels of the GPU engine as one source, and the digest that identifies their PTX. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const CUDA = join(import.meta.dirname, '../../native/cuda');

/** The PTX that is in the repository. Its first line names the digest of its sources. */
export const PTX_FILE = join(CUDA, 'ptx/kernels.ptx');

/**
 * kernels.cu with its includes in place, as NVRTC needs it.
 *
 * @param edit changes the text of each file, for planted mistakes; by default it stays as it is
 */
export function kernelSource(edit: (text: string, file: string) => string = (text) => text): string {
  const included = new Set<string>();
  const inline = (file: string): string => {
    if (included.has(file)) return '';
    included.add(file);
    return edit(readFileSync(file, 'utf8'), file)
      .split('\n')
      .map((line) => {
        const name = /^#include "(.*)"/.exec(line)?.[1];
        // NVRTC must not see the shim, which is for CPUs.
        if (line === '#pragma once' || name?.includes('shim')) return '';
        return name ? inline(join(dirname(file), name)) : line;
      })
      .join('\n');
  };
  return inline(join(CUDA, 'kernels/kernels.cu'));
}

/** The digest of the kernels' source, in hexadecimal. */
export const kernelDigest = () => createHash('sha256').update(kernelSource()).digest('hex');
