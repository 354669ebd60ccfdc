/**
 * The runner against a naive reference of its rules: random pipelines, with random edits, commands and kills. A few run
 * here, without kills, whose moments differ from run to run. `npm run test:model` runs many, and repeats a seed that failed.
 */
import { expect, test } from 'vitest';
import { TestProject } from '../project.ts';
import { runModel } from './model-run.ts';

test.each([1, 2, 3])(
  'after each step of pipeline %i, verdicts, files, lock, caches and trash are as the rules say',
  async (seed) => {
    const made = new TestProject({});
    const repro = await made.bundle();
    made.dispose();
    const { failure, log } = await runModel({ repro, seed, steps: 10, kills: false });
    expect(failure, `seed ${seed}, steps:\n${log.join('\n')}`).toBeUndefined();
  },
);
