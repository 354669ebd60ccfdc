// Bundles lib/repro into OUTDIR/repro.js and a few chunks that it loads on demand, so that it starts about as fast as
// Node. Packages with binaries and large, rarely used packages stay outside the bundle.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/**
 * Replaces each NAME-validator.ts, such as lib/repro/pipeline/pipeline-validator.ts, by the compiled NAME.schema.json
 * beside it. The options equal those of lib/repro/documents/ajv-options.ts.
 */
const compiledSchema = {
  name: 'compiled schema',
  setup({ onLoad }) {
    onLoad({ filter: /-validator\.ts$/ }, ({ path }) => {
      const schema = JSON.parse(readFileSync(path.replace(/-validator\.ts$/, '.schema.json'), 'utf8'));
      const code = { source: true, esm: true };
      const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: false, logger: false, code });
      return { contents: standalone.default(ajv, ajv.compile(schema)), resolveDir: root };
    });
  },
};

/**
 * Writes the bundle to `outdir`, a path relative to the project's folder. With `library`, also index.js, the library for
 * stage programs. Returns the folders of the bundled packages, such as "node_modules/yaml".
 */
export async function bundleRunner(outdir, { library = false } = {}) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      repro: 'lib/repro/cli/cli.ts',
      'repro/plot-process': 'lib/repro/results/plot-process.ts',
      ...(library ? { index: 'lib/repro/index.ts' } : {}),
    },
    outdir,
    bundle: true,
    metafile: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    plugins: [compiledSchema],
    define: { 'process.env.REPRO_VERSION': JSON.stringify(version) },
    external: ['lmdb', 'esbuild', 'vega', 'vega-lite'],
    chunkNames: 'repro/[name]-[hash]',
    // Bundled CommonJS packages call `require` for the modules of Node, and an ES module has no `require`.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
  const bin = join(root, outdir, 'repro.js');
  writeFileSync(bin, `#!/usr/bin/env node\n${readFileSync(bin, 'utf8')}`);
  chmodSync(bin, 0o755);
  const bundled = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  return [...new Set(bundled.flatMap((input) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []))].sort();
}
