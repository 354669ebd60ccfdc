// Bundles lib/repro into OUTDIR/repro.js and a few files that it loads when they are needed, so that it starts about as
// fast as node does. Packages that bring binaries of their own, or are large and
// seldom needed, stay outside.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = resolve(fileURLToPath(import.meta.url), '../..');

export async function bundleRunner(outdir) {
  await build({
    absWorkingDir: root,
    entryPoints: { repro: 'lib/repro/cli.ts' },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    external: ['lmdb', 'esbuild', 'vega', 'vega-lite'],
    chunkNames: 'repro/[name]-[hash]',
    // Bundled CommonJS packages call require for Node's own modules.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
  const bin = join(root, outdir, 'repro.js');
  writeFileSync(bin, `#!/usr/bin/env node\n${readFileSync(bin, 'utf8')}`);
  chmodSync(bin, 0o755);
}
