/**
 * Times `repro commit` of a large output, which runs no command, and compares it with one read that only hashes the
 * output.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { forget, node, printTable, race, used } from './race.ts';
import { makeFolder, type Setting } from './setting.ts';

const HASH = `
  const hash = require('crypto').createHash('sha256');
  require('fs').createReadStream('big', { highWaterMark: 1 << 20 }).on('data', (piece) => hash.update(piece)).on('end', () => console.log(hash.digest('hex')));`;

/** Prints time, bytes read, disk space and memory, with copies and with hard links. */
export function large(setting: Setting): void {
  const { repro, rounds, quick } = setting;
  const sizes = quick ? [2e6, 20e6] : [200e6, 2e9];
  const folder = makeFolder(setting, 'large', (path) => {
    writeFileSync(join(path, 'pipeline.yaml'), 'stages: {make: {cmd: "false", deps: [in], outs: [big]}}\n');
    writeFileSync(join(path, 'in'), '');
  });
  const type = (name: string) => () => {
    forget(folder, '.repro', 'dvc-like.lock');
    mkdirSync(join(folder, '.repro'));
    writeFileSync(join(folder, '.repro/config.yaml'), `cache: {type: ${name}}\n`);
    const big = join(folder, 'big');
    if (statSync(big, { throwIfNoEntry: false })?.size !== size) write(big, size);
    chmodSync(big, 0o644);
    // Flush the writes of earlier rounds, so that they do not slow this one.
    spawnSync('sync');
  };
  let size = sizes.at(-1)!;
  const baseline = 'one read, hashed';
  const medians = race(
    [
      { name: baseline, prepare: type('copy'), run: () => node(folder, ['-e', HASH]) },
      {
        name: 'copyFileSync, then hashed',
        prepare: type('copy'),
        run: () => node(folder, ['-e', `require('fs').copyFileSync('big', '.repro/copy');${HASH}`]),
      },
      { name: 'repro, cache.type: copy', prepare: type('copy'), run: () => node(folder, [repro, 'commit']) },
      { name: 'repro, cache.type: hardlink', prepare: type('hardlink'), run: () => node(folder, [repro, 'commit']) },
    ],
    rounds,
  );
  console.log(`## Caching an output of ${size / 1e9} GB\n`);
  printTable(medians, baseline);
  console.log('| output, MB | | read, MB | peak memory, MiB | further disk used, MB |\n|---|---|---|---|---|');
  for (size of sizes)
    for (const name of ['copy', 'hardlink']) {
      type(name)();
      const before = free(folder);
      const { peak, read } = used(folder, [repro, 'commit']);
      const diskUsed = before - free(folder);
      console.log(
        `| ${size / 1e6} | ${name} | ${(read / 1e6).toFixed(0)} | ${peak.toFixed(0)} | ${diskUsed.toFixed(0)} |`,
      );
    }
  console.log();
}

/** Writes `size` bytes. No two pieces are equal, so a file system cannot deduplicate them. */
function write(path: string, size: number): void {
  rmSync(path, { force: true });
  const file = openSync(path, 'w');
  const piece = Buffer.alloc(1e6, 'all work and no play makes for large files\n');
  for (let at = 0; at < size; at += piece.length) {
    piece.writeDoubleLE(at);
    writeSync(file, piece);
  }
  closeSync(file);
}

/** Free MB on the disk of a folder, after all pending writes. */
function free(folder: string): number {
  spawnSync('sync');
  const { bfree, bsize } = statfsSync(folder);
  return (bfree * bsize) / 1e6;
}
