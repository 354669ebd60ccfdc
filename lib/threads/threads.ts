/**
 * Worker threads that run TypeScript.
 *
 * A program and all modules behind it are bundled into one script with esbuild, and the thread evaluates that script.
 * The script is kept, so that most starts neither bundle nor compile anything (kept-bundle.mjs). With tsx in the thread,
 * each start would take about 300 ms.
 */
import { dirname, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { keptBundle, ROOT, ROOT_VARIABLE } from './kept-bundle.mjs';

/**
 * Bundles a program for `startThread`, or takes the bundle that an earlier call has kept. The bundle of a program is the
 * same text in every copy of the project, so its hash identifies the code.
 *
 * @param program the source of an ES module, without top-level await
 * @param importer URL of the module that contains the program: relative imports are resolved from there
 * @returns a CommonJS script
 * @throws BuildFailure of esbuild if a module is missing or has a syntax error
 * @example await bundleProgram(`import { work } from './worker.ts'; work();`, import.meta.url)
 */
export async function bundleProgram(program: string, importer: string): Promise<string> {
  const resolveDir = relative(ROOT, dirname(fileURLToPath(importer)));
  const stdin = { contents: program, resolveDir };
  return (await keptBundle('thread', { stdin, format: 'cjs', logLevel: 'silent' })).text;
}

/**
 * Starts a thread that runs a bundled program.
 *
 * @param bundle made by `bundleProgram`
 * @param options `workerData` is copied into the thread; `resourceLimits` bounds its heap
 * @returns the thread; an error that the program does not catch is its `error` event
 */
export function startThread(bundle: string, options: { workerData: unknown; resourceLimits?: ResourceLimits }): Worker {
  const script = `const ${ROOT_VARIABLE} = ${JSON.stringify(pathToFileURL(`${ROOT}/`).href)};\n${bundle}`;
  // By default a thread inherits execArgv, and tsx or a test runner in it would load itself into the thread.
  return new Worker(script, { eval: true, execArgv: [], ...options });
}
