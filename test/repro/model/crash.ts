/**
 * Kills repro at its n-th write: a module that Node loads before repro counts the calls of node:fs that change a file, and
 * sends SIGKILL to its own process at one of them. Unlike a kill at a random time, it always hits a moment that matters,
 * and it can be repeated. The last call is made in part: half of a text is written, one entry of a folder is removed.
 */
const SOURCE = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
let left = Number(process.env.MODEL_CRASH_AT);
const inPart = {
  writeFileSync: (path, data) => typeof path === 'string' && fs.appendFileSync(path, data.slice(0, data.length / 2)),
  rmSync: (path) => {
    const [first] = fs.lstatSync(path).isDirectory() ? fs.readdirSync(path) : [];
    if (first !== undefined) rm(path + '/' + first, { recursive: true });
  },
};
const rm = fs.rmSync;
for (const name of ['rmSync', 'renameSync', 'writeFileSync', 'copyFileSync', 'linkSync', 'mkdirSync', 'chmodSync', 'writeSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    if (left-- > 0) return real(...args);
    try {
      inPart[name]?.(...args);
    } catch {}
    process.kill(process.pid, 'SIGKILL');
  };
}
syncBuiltinESMExports();
`;

/** The arguments of Node that load the module. The variable MODEL_CRASH_AT says how many calls are made before. */
export const CRASH_ARGUMENTS = ['--import', `data:text/javascript,${encodeURIComponent(SOURCE)}`];
