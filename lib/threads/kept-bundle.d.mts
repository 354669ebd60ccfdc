/** See kept-bundle.mjs. */
import type { BuildOptions } from 'esbuild';

export const ROOT: string;
export const ROOT_VARIABLE: string;
export function keptBundle(name: string, options: BuildOptions): Promise<{ path: string; text: string }>;
