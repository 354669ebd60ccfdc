// Starts a stage program. The commands in pipeline.yaml call it:
//
//     node stages/start.mjs stages/NAME.ts INPUT… OUTPUT… [--flags]
//
// It bundles the program and all modules behind it, and keeps the bundle until one of them changes: a start then takes
// about a fifth of the CPU time that tsx takes to load the modules one by one.
import { basename, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { keptBundle, ROOT, ROOT_VARIABLE } from '../lib/threads/kept-bundle.mjs';

if (process.argv.length < 3) {
  console.error('usage: node stages/start.mjs stages/NAME.ts …');
  process.exit(2);
}
const program = resolve(process.argv[2]);
process.argv.splice(1, 2, program);
globalThis[ROOT_VARIABLE] = pathToFileURL(`${ROOT}/`).href;
process.setSourceMapsEnabled(true);
await import(pathToFileURL(await bundled()).href);

/** The path of the bundle; if a module has an error, esbuild prints its place, and the process ends. */
async function bundled() {
  // Bundled CommonJS packages call `require` for the modules of Node, and an ES module has no `require`.
  const requireFrom = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(${ROOT_VARIABLE});`;
  try {
    const { path } = await keptBundle(basename(program, '.ts'), {
      entryPoints: [relative(ROOT, program)],
      format: 'esm',
      sourcemap: 'external',
      logLevel: 'error',
      banner: { js: requireFrom },
    });
    return path;
  } catch (error) {
    if (error.errors === undefined) throw error;
    process.exit(1);
  }
}
