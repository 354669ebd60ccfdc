/** Benchmarks and scripts read their options in one way (scripts/command-line.ts). */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const call = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', 'bench/tokenizer/check.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });

test('a wrong option is named in one sentence with those that there are', () => {
  expect(call('--peer', 'x')).toMatchObject({
    status: 2,
    stderr: "Unknown option '--peer'; options: --peers VALUE\n",
  });
});

test('--help prints how the program is used', () => {
  const { status, stdout } = call('--help');
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/^\S.*bench\/tokenizer\/check\.ts.*\n\noptions: --peers VALUE\n$/s),
  ]);
});

test('no benchmark or script parses options itself', () => {
  const sources = ['bench', 'scripts'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  const own = sources.filter((path) => readFileSync(join(ROOT, path), 'utf8').includes('parseArgs('));
  expect(own).toEqual(['scripts/command-line.ts']);
});
