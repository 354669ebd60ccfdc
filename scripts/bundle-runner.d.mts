/** See bundle-runner.mjs. `outdir` is relative to the project's folder. */
export function bundleRunner(outdir: string, options?: { library?: boolean }): Promise<string[]>;
