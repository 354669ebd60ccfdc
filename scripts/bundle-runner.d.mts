/** See bundle-runner.mjs; `outdir` is relative to the project. */
export function bundleRunner(outdir: string): Promise<void>;
