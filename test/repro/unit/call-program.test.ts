/** Calls of programs: each way in which one can end is told, and none throws. */
import { expect, test } from 'vitest';
import { callProgram } from '../../../lib/repro/programs/index.ts';

const shell = (script: string, options = {}) => callProgram('sh', ['-c', script], options);

test('a program reads its input, and its output and exit code are returned', async () => {
  const { exitCode, stdout, stderr } = await shell('cat; pwd; echo "$OWN" >&2; exit 3', {
    ...{ input: 'é\n', cwd: '/usr', env: { PATH: process.env.PATH, OWN: 'own' } },
  });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 3, stdout: 'é\n/usr\n', stderr: 'own\n' });
});

test('without input, stdin is empty; input that is not read is no failure', async () => {
  expect(await shell('cat')).toMatchObject({ exitCode: 0, stdout: '' });
  expect(await shell('exec 0<&-', { input: 'x'.repeat(1 << 20) })).toMatchObject({ exitCode: 0 });
});

test('a signal, a program that is not there, and one that takes too long are told', async () => {
  expect(await shell('kill -9 $$')).toEqual({ signal: 'SIGKILL', stdout: '', stderr: '' });
  expect(await callProgram('no-such-program', [])).toMatchObject({ error: { code: 'ENOENT' }, stdout: '' });
  expect(await shell('exec sleep 100', { timeout: 20 })).toMatchObject({ signal: 'SIGTERM' });
  expect(await shell('true', { env: { LONG: 'x'.repeat(1 << 20) } })).toMatchObject({ error: { code: 'E2BIG' } });
});

test('latin1 keeps each byte as a character', async () => {
  expect((await shell("printf '\\303\\377'", { encoding: 'latin1' })).stdout).toBe('\xc3\xff');
});
