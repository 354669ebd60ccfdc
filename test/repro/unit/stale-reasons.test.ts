/** Why a stage is stale: the comparison of a recorded run with the present, as plain data. */
import { describe, expect, test } from 'vitest';
import type { Content } from '../../../lib/repro/hashing/index.ts';
import type { Stage } from '../../../lib/repro/pipeline/index.ts';
import { alwaysRuns, staleReasons } from '../../../lib/repro/planning/stale-reasons.ts';
import { type Fingerprint, type LockedStage, lockedStage } from '../../../lib/repro/storage/index.ts';
import { stage } from './stage.ts';

const content = (letter: string): Content => ({ sha256: letter.repeat(64), size: 1 });

const train = stage('train', {
  deps: [{ path: 'data.txt', optional: false }],
  code: ['train.ts'],
  params: [{ file: 'params.yaml', keys: ['train'] }],
  env: { THREADS: '2' },
  outs: [{ path: 'model', kind: 'out', cache: true, persist: false }],
});
const inputs: Fingerprint = {
  deps: { 'data.txt': content('a') },
  code: { 'train.ts': content('b') },
  params: { 'params.yaml': { train: { lr: 0.1, steps: 10 } } },
};
const outs = { model: content('c') };

/** The reasons after a run of `train` with `inputs`, when the parts named in `now` have changed since. */
function reasons(now: {
  stage?: Partial<Stage>;
  inputs?: Partial<Fingerprint>;
  outs?: { [path: string]: Content | undefined };
  recorded?: Partial<LockedStage>;
}) {
  const recorded = { ...lockedStage(train, inputs, outs), ...now.recorded };
  const present = new Map(Object.entries(now.outs ?? outs).map(([path, content]) => [path, { content }]));
  return staleReasons({ ...train, ...now.stage }, recorded, { ...inputs, ...now.inputs }, present);
}

test('a package of another version, or one that was not imported before, makes a stage stale', () => {
  const packages = { a: '1.0.0 0123456789ab', b: '2.0.0' };
  const recorded = { packages: { a: '1.0.1 0123456789ab', c: '1.0.0' } };
  expect(reasons({ inputs: { packages }, recorded })).toEqual([
    { kind: 'package', name: 'a', old: '1.0.1 0123456789ab', new: '1.0.0 0123456789ab' },
    { kind: 'package', name: 'b', new: '2.0.0' },
  ]);
  expect(reasons({ inputs: { packages }, recorded: { packages } })).toEqual([]);
  // A run from before packages were recorded.
  expect(reasons({ inputs: { packages } })).toEqual([]);
});

describe('inputs and outputs as recorded', () => {
  test('there is no reason to run', () => {
    expect(reasons({})).toEqual([]);
  });

  test('a recorded dependency or param that the definition no longer lists does not make the stage stale', () => {
    expect(reasons({ recorded: { deps: { ...inputs.deps, 'removed.txt': content('d') } } })).toEqual([]);
    expect(reasons({ recorded: { params: { 'params.yaml': { train: { lr: 0.1, steps: 10 }, other: 1 } } } })).toEqual(
      [],
    );
  });

  test('a param that was recorded as part of a wider key is compared with that part', () => {
    const narrow = (lr: number) => reasons({ inputs: { params: { 'params.yaml': { 'train.lr': lr } } } });
    expect(narrow(0.1)).toEqual([]);
    expect(narrow(0.2)).toEqual([{ kind: 'param', file: 'params.yaml', key: 'train.lr', old: 0.1, new: 0.2 }]);
  });
});

describe('each kind of reason', () => {
  test('never-run: nothing is recorded', () => {
    expect(staleReasons(train, undefined, inputs, new Map())).toEqual([{ kind: 'never-run' }]);
  });

  test('command: the text changed', () => {
    expect(reasons({ stage: { cmd: ['other'] } })).toEqual([{ kind: 'command', old: 'true', new: 'other' }]);
  });

  test('command: one command became two', () => {
    expect(reasons({ stage: { cmd: ['true', 'other'] } })).toEqual([
      { kind: 'command', old: 'true', new: ['true', 'other'] },
    ]);
  });

  test('command: the working folder changed', () => {
    expect(reasons({ stage: { wdir: 'sub' } })).toEqual([
      { kind: 'command', old: '(in .) true', new: '(in sub) true' },
    ]);
  });

  test('env: a value changed, a variable was added, a variable was removed', () => {
    expect(reasons({ stage: { env: { THREADS: '3' } } })).toEqual([
      { kind: 'env', key: 'THREADS', old: '2', new: '3' },
    ]);
    expect(reasons({ stage: { env: { THREADS: '2', SEED: '1' } } })).toEqual([{ kind: 'env', key: 'SEED', new: '1' }]);
    expect(reasons({ stage: { env: {} } })).toEqual([{ kind: 'env', key: 'THREADS', old: '2' }]);
  });

  test('param: only the leaf that changed is named', () => {
    const params = { 'params.yaml': { train: { lr: 0.1, steps: 20 } } };
    expect(reasons({ inputs: { params } })).toEqual([
      { kind: 'param', file: 'params.yaml', key: 'train.steps', old: 10, new: 20 },
    ]);
  });

  test('dep: the content changed, the dependency is new, an optional one is gone', () => {
    expect(reasons({ inputs: { deps: { 'data.txt': content('d') } } })).toEqual([
      { kind: 'dep', path: 'data.txt', old: content('a'), new: content('d') },
    ]);
    expect(reasons({ inputs: { deps: { ...inputs.deps, 'more.txt': content('d') } } })).toEqual([
      { kind: 'dep', path: 'more.txt', new: content('d') },
    ]);
    expect(reasons({ inputs: { deps: { 'data.txt': null } } })).toEqual([
      { kind: 'dep', path: 'data.txt', old: content('a'), new: null },
    ]);
  });

  test('dep: a file that became executable, or a folder, has changed', () => {
    const executable = { 'data.txt': { ...content('a'), executable: true as const } };
    expect(reasons({ inputs: { deps: executable } })).toMatchObject([{ kind: 'dep', path: 'data.txt' }]);
    const folder = { 'data.txt': { ...content('a'), files: 1 } };
    expect(reasons({ inputs: { deps: folder } })).toMatchObject([{ kind: 'dep', path: 'data.txt' }]);
  });

  test('code: the modules of an entry changed, or the entry is new', () => {
    expect(reasons({ inputs: { code: { 'train.ts': content('d') } } })).toMatchObject([
      { kind: 'code', path: 'train.ts', old: content('b'), new: content('d') },
    ]);
    const [added, ...others] = reasons({ inputs: { code: { ...inputs.code, 'more.ts': content('d') } } });
    expect(added).toMatchObject({ kind: 'code', path: 'more.ts', new: content('d') });
    expect(['old' in added, others]).toEqual([false, []]);
  });

  test('out-missing, out-changed, and an output that the last run did not have', () => {
    expect(reasons({ outs: { model: undefined } })).toEqual([{ kind: 'out-missing', path: 'model' }]);
    expect(reasons({ outs: { model: content('d') } })).toEqual([
      { kind: 'out-changed', path: 'model', old: content('c'), new: content('d') },
    ]);
    expect(reasons({ outs: { ...outs, log: content('d') } })).toEqual([
      { kind: 'out-changed', path: 'log', new: content('d') },
    ]);
  });

  test('always: the definition says so, or the stage has no inputs at all', () => {
    expect(reasons({ stage: { alwaysChanged: true } })).toEqual([{ kind: 'always' }]);
    expect(alwaysRuns(stage('bare', {}))).toBe(true);
    expect(alwaysRuns(train)).toBe(false);
  });
});

test('all reasons are listed, in the order command, env, params, deps, code, outputs', () => {
  const all = reasons({
    stage: { cmd: ['other'], env: {} },
    inputs: { deps: { 'data.txt': null }, code: { 'train.ts': content('d') }, params: { 'params.yaml': { train: 1 } } },
    outs: { model: undefined },
  });
  expect(all.map(({ kind }) => kind)).toEqual(['command', 'env', 'param', 'dep', 'code', 'out-missing']);
});
