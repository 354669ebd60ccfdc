/** No folder whose name other users of the machine know is trusted. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

test('a stage does not run the code that is in the temporary folder of tsx', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: node --import tsx a.ts > out, code: [a.ts], outs: [out]}\n',
    'package.json': '{"type": "module"}',
    'a.ts': "const word: string = 'honest';\nconsole.log(word);\n",
    'tmp/.keep': '',
  });
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), made.path('node_modules'));
  const env = { ...process.env, TMPDIR: made.path('tmp') };
  const runByTsx = () =>
    execFileSync(process.execPath, ['--import', 'tsx', 'a.ts'], { cwd: made.root, env }).toString();
  // A process of tsx may end before it has written its cache.
  let printed = runByTsx();
  for (let call = 1; call < 10 && printed !== 'forged\n'; call++) {
    for (const name of readdirSync(made.path('tmp'), { recursive: true, encoding: 'utf8' }))
      if (!name.startsWith('.') && statSync(made.path(`tmp/${name}`)).isFile())
        made.write(`tmp/${name}`, made.read(`tmp/${name}`).replace('honest', 'forged'));
    printed = runByTsx();
  }
  expect(printed).toBe('forged\n');
  made.env = { TMPDIR: env.TMPDIR };
  expect(await made.outcomes()).toEqual({ a: 'ran' });
  expect(made.read('out')).toBe('honest\n');
});

test('leases of GPUs are in a folder of the user; a link, and a folder that others can write to, are refused', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: "true", params: [p], resources: {gpus: 1}}\n',
    'params.yaml': 'p: 1',
  });
  made.env = { REPRO_GPUS: '0', XDG_CACHE_HOME: made.path('cache'), TMPDIR: made.path('tmp') };
  expect(await made.outcomes()).toEqual({ a: 'ran' });
  expect(readdirSync(made.path('cache'))).toEqual(['repro-gpus']);
  expect(made.exists('tmp')).toBe(false);

  const leases = made.path('cache/repro-gpus');
  chmodSync(leases, 0o777);
  const refused = (why: string) => ({
    exit: 2,
    stderr: `repro: ${leases} ${why}, so what is in it cannot be trusted; remove it\n`,
  });
  expect(await made.repro('-f')).toMatchObject(refused('can be written to by other users'));
  made.remove('cache/repro-gpus');
  mkdirSync(made.path('elsewhere'));
  symlinkSync(made.path('elsewhere'), leases);
  expect(await made.repro('-f')).toMatchObject(refused('is not a folder'));
  expect(readdirSync(made.path('elsewhere'))).toEqual([]);
});
