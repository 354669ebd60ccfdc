/** The build of repro, by which it knows that what another build remembered may be wrong. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

test('a fresh stamp names the version, because some package managers give every file the same time', async () => {
  const made = project({ 'pipeline.yaml': 'stages:\n  a: {cmd: cat in > out, deps: [in], outs: [out]}\n', in: '1' });
  await made.outcomes();
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const folder = join(dirname(await made.bundle()), 'repro');
  const sizes = readdirSync(folder).map((name) => readFileSync(join(folder, name)).length);
  const [, size] = new RegExp(`"${version.replaceAll('.', '\\.')}:(\\d+):[\\d.]+"`).exec(made.read('.repro/fresh'))!;
  expect(sizes).toContain(Number(size));
});
