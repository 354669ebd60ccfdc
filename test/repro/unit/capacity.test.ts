/** Whether a stage fits beside those that run, and which GPUs it gets. */
import { describe, expect, test } from 'vitest';
import { Capacity, checkFits, defaultJobs, memoryShare } from '../../../lib/repro/forecast/capacity.ts';
import { resources, stage } from './stage.ts';

const GIB = 1024 ** 3;
const machine = { cpus: 4, memory: 8 * GIB, gpus: ['0', '1', '2'] };

describe('fit', () => {
  test('-j bounds the number of stages', () => {
    const capacity = new Capacity(2, machine, {});
    expect(capacity.hasPlace).toBe(true);
    for (let i = 0; i < 2; i++) capacity.take(resources({}), []);
    expect([capacity.hasPlace, capacity.fit(resources({}))]).toEqual([false, undefined]);
    capacity.release(resources({}), []);
    expect([capacity.hasPlace, capacity.fit(resources({}))]).toEqual([true, []]);
  });

  test('cpus are shared; a stage that needs none fits beside a stage that has all of them', () => {
    const capacity = new Capacity(9, machine, {});
    capacity.take(resources({ cpus: 3 }), []);
    expect(capacity.fit(resources({ cpus: 2 }))).toBeUndefined();
    expect(capacity.fit(resources({ cpus: 1 }))).toEqual([]);
    capacity.take(resources({ cpus: 1 }), []);
    expect(capacity.fit(resources({}))).toEqual([]);
  });

  test('memory is shared', () => {
    const capacity = new Capacity(9, machine, {});
    capacity.take(resources({ memory: 5 * GIB }), []);
    expect(capacity.fit(resources({ memory: 4 * GIB }))).toBeUndefined();
    expect(capacity.fit(resources({ memory: 3 * GIB }))).toEqual([]);
  });

  test('the share of memory of a stage lets as many like it as may run at once fit together', () => {
    const share = (wants: object, stages: number, jobs: number) =>
      memoryShare(resources(wants), stages, jobs, machine) / GIB;
    expect(share({}, 9, 4)).toBe(2);
    expect(share({}, 1, 4)).toBe(8);
    expect(share({ cpus: 2 }, 9, 4)).toBe(4);
    expect(share({ memory: 3 * GIB }, 9, 4)).toBe(4);
    expect(share({ memory: 5 * GIB, cpus: 9 }, 9, 4)).toBe(8);
  });

  test('a named limit is shared by the stages that name it', () => {
    const capacity = new Capacity(9, machine, { net: 2, disk: 1 });
    capacity.take(resources({ limits: { net: 1 } }), []);
    expect(capacity.fit(resources({ limits: { net: 2 } }))).toBeUndefined();
    expect(capacity.fit(resources({ limits: { net: 1, disk: 1 } }))).toEqual([]);
    capacity.release(resources({ limits: { net: 1 } }), []);
    expect(capacity.fit(resources({ limits: { net: 2 } }))).toEqual([]);
  });

  test('a stage gets GPUs that no stage of this repro and no other repro has', () => {
    const capacity = new Capacity(9, machine, {});
    expect(capacity.fit(resources({ gpus: 2 }))).toEqual(['0', '1']);
    capacity.take(resources({ gpus: 1 }), ['0']);
    expect(capacity.fit(resources({ gpus: 2 }))).toEqual(['1', '2']);
    expect(capacity.fit(resources({ gpus: 1 }), (id) => id === '1')).toEqual(['2']);
    expect(capacity.fit(resources({ gpus: 2 }), (id) => id === '1')).toBeUndefined();
    capacity.take(resources({ gpus: 2 }), ['1', '2']);
    expect([capacity.hasFreeGpus, capacity.fit(resources({ gpus: 1 }))]).toEqual([false, undefined]);
    expect(capacity.fit(resources({}))).toEqual([]);
  });

  test('on a machine without GPUs a stage that wants some gets none, and runs', () => {
    expect(new Capacity(1, { ...machine, gpus: [] }, {}).fit(resources({ gpus: 2 }))).toEqual([]);
  });
});

describe('checkFits', () => {
  const check = (parts: Parameters<typeof resources>[0], on = machine) =>
    checkFits(stage('s', { resources: resources(parts) }), on, { net: 2 });

  test('a stage that fits when it is alone is accepted', () => {
    expect(() => check({ cpus: 4, memory: 8 * GIB, gpus: 3, limits: { net: 2 } })).not.toThrow();
    expect(() => check({ gpus: 3 }, { ...machine, gpus: [] })).not.toThrow();
  });

  test.each([
    [{ cpus: 5 }, 's wants 5 cpus, but this machine has 4'],
    [{ memory: 9 * GIB }, 's wants 9.0 GiB of memory, but this machine has 8.0 GiB'],
    [{ gpus: 4 }, 's wants 4 GPUs, but this machine has 3'],
    [{ limits: { net: 3 } }, 's wants 3 of net, but its limit is 2'],
  ])('a stage that would wait for ever is refused: %j', (parts, message) => {
    expect(() => check(parts)).toThrow(message);
  });
});

test('as many stages as cpus or GPUs run at once, whichever are more', () => {
  expect(defaultJobs(machine)).toBe(4);
  expect(defaultJobs({ ...machine, cpus: 2 })).toBe(3);
});
