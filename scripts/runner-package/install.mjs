// The install script of the package: builds native/spawn from source if no prebuilt binary fits this machine and a
// compiler is there. The addon only makes the start of commands faster, so no failure here makes the installation fail.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));

function isLoadable() {
  try {
    createRequire(import.meta.url)('node-gyp-build')(folder);
    return true;
  } catch {
    return false;
  }
}

// Package managers put a node-gyp on the PATH of install scripts.
if (process.platform !== 'win32' && !isLoadable()) {
  const { status } = spawnSync('node-gyp', ['rebuild'], { cwd: folder, stdio: 'ignore' });
  if (status !== 0)
    console.log('repro: native/spawn was not built; repro works without it, but starts each command 1 to 3 ms later');
}
