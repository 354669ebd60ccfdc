/**
 * Worker threads that run TypeScript.
 *
 * A program and all modules behind it are bundled into one script with esbuild, and the thread evaluates that script.
 * Bundling takes about 50 ms, and each thread then starts without compiling anything. With tsx in the thread, each
 * start would take about 300 ms.
 */
import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import type { Plugin } from 'esbuild';

/** The project's folder: paths within a bundle are relative to it. */
const ROOT = new URL('../../', import.meta.url);

/** The variable of a bundle that holds the URL of the project's folder. */
const ROOT_VARIABLE = '__projectRoot';

/**
 * Bundles a program for `startThread`. The bundle of a program is the same text in every copy of the project,
 * so its hash identifies the code.
 *
 * @param program the source of an ES module, without top-level await
 * @param importer URL of the module that contains the program: relative imports are resolved from there
 * @returns a CommonJS script
 * @throws BuildFailure of esbuild if a module is missing or has a syntax error
 * @example await bundleProgram(`import { work } from './worker.ts'; work();`, import.meta.url)
 */
export async function bundleProgram(program: string, importer: string): Promise<string> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: dirname(fileURLToPath(importer)) },
    bundle: true,
    // esbuild writes a comment with the path of each module, relative to this folder.
    absWorkingDir: fileURLToPath(ROOT),
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    write: false,
    logLevel: 'silent',
    plugins: [keepModuleUrls],
  });
  return outputFiles[0].text;
}

/** Lets `import.meta.url` keep its value in a bundle: modules find their addons and packages by it. */
const keepModuleUrls: Plugin = {
  name: 'keep-module-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|mjs)$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const url = `new URL(${JSON.stringify(relative(fileURLToPath(ROOT), path))}, ${ROOT_VARIABLE}).href`;
      return { contents: source.replaceAll('import.meta.url', url), loader: path.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
};

/**
 * Starts a thread that runs a bundled program.
 *
 * @param bundle made by `bundleProgram`
 * @param options `workerData` is copied into the thread; `resourceLimits` bounds its heap
 * @returns the thread; an error that the program does not catch is its `error` event
 */
export function startThread(bundle: string, options: { workerData: unknown; resourceLimits?: ResourceLimits }): Worker {
  const script = `const ${ROOT_VARIABLE} = ${JSON.stringify(ROOT.href)};\n${bundle}`;
  // By default a thread inherits execArgv, and tsx or a test runner in it would load itself into the thread.
  return new Worker(script, { eval: true, execArgv: [], ...options });
}
