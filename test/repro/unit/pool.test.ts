/** Which of the stages that wait starts next. */
import { describe, expect, test } from 'vitest';
import { type Claim, type Granted, Pool } from '../../../lib/repro/execution/pool.ts';
import { Capacity } from '../../../lib/repro/forecast/capacity.ts';
import { resources } from './stage.ts';

const machine = { cpus: 4, memory: 100, gpus: ['0', '1'] };

/** A pool that records the order in which stages start. A stage keeps its place and GPUs until its name is released. */
function startList(jobs: number, options: { gpuIsTaken?: (id: string) => boolean } = {}) {
  const pool = new Pool(new Capacity(jobs, machine, { net: 1 }), options.gpuIsTaken ?? (() => false));
  const started: string[] = [];
  const grants = new Map<string, Granted>();
  return {
    pool,
    started,
    gpusOf: (name: string) => (grants.get(name) as Exclude<Granted, 'stopped'>).gpus,
    async want(name: string, seconds: number, wants = resources({}), claim: Claim = () => true): Promise<void> {
      const granted = await pool.acquire(name, wants, seconds, claim);
      grants.set(name, granted);
      started.push(granted === 'stopped' ? `${name} stopped` : name);
    },
    async release(name: string): Promise<void> {
      (grants.get(name) as Exclude<Granted, 'stopped'>).release();
      await served();
    },
  };
}

/** Resolves when the pool has seen all requests and releases made so far. */
async function served(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('order', () => {
  test('of the stages that are ready at once, the longest expected starts first', async () => {
    const { want, started, release } = startList(1);
    void want('short', 1);
    void want('long', 30);
    void want('unknown', Number.POSITIVE_INFINITY);
    await served();
    await release('unknown');
    await release('long');
    expect(started).toEqual(['unknown', 'long', 'short']);
  });

  test('a stage that does not fit yet lets shorter ones pass', async () => {
    const { want, started, release } = startList(9);
    void want('first', 50, resources({ cpus: 3 }));
    void want('large', 40, resources({ cpus: 4 }));
    void want('small', 1, resources({ cpus: 1 }));
    await served();
    expect(started).toEqual(['first', 'small']);
    await release('small');
    await release('first');
    expect(started).toEqual(['first', 'small', 'large']);
  });
});

describe('resources', () => {
  test('at most -j stages run at once', async () => {
    const { want, started, release } = startList(2);
    for (const name of ['a', 'b', 'c']) void want(name, 1);
    await served();
    expect(started).toEqual(['a', 'b']);
    await release('a');
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('a stage waits until memory and named limits suffice', async () => {
    const { want, started, release } = startList(9);
    void want('a', 4, resources({ memory: 60 }));
    void want('b', 3, resources({ memory: 60 }));
    void want('c', 2, resources({ limits: { net: 1 } }));
    void want('d', 1, resources({ limits: { net: 1 } }));
    await served();
    expect(started).toEqual(['a', 'c']);
    await release('a');
    await release('c');
    expect(started).toEqual(['a', 'c', 'b', 'd']);
  });

  test('each stage has its GPUs for itself', async () => {
    const { want, started, gpusOf, release } = startList(9);
    void want('a', 3, resources({ gpus: 1 }));
    void want('b', 2, resources({ gpus: 1 }));
    void want('c', 1, resources({ gpus: 1 }));
    await served();
    expect([started, gpusOf('a'), gpusOf('b')]).toEqual([['a', 'b'], ['0'], ['1']]);
    await release('b');
    expect([started, gpusOf('c')]).toEqual([['a', 'b', 'c'], ['1']]);
  });

  test('a second release of the same holding changes nothing', async () => {
    const { want, started, release } = startList(1);
    for (const name of ['a', 'b', 'c']) void want(name, 1);
    await served();
    await release('a');
    await release('a');
    expect(started).toEqual(['a', 'b']);
  });
});

describe('other repros', () => {
  test('a GPU that another repro has is tried again until it is free', async () => {
    let taken = true;
    const { want, started, gpusOf, pool } = startList(9, { gpuIsTaken: () => taken });
    const wanted = want('a', 1, resources({ gpus: 1 }));
    await served();
    expect(started).toEqual([]);
    taken = false;
    await wanted;
    expect([started, gpusOf('a')]).toEqual([['a'], ['0']]);
    pool.stop();
  });

  test('a stage that another repro has is tried again, and others start meanwhile', async () => {
    let claimed = false;
    const { want, started, pool } = startList(1);
    const wanted = want('a', 2, resources({}), () => claimed);
    const other = want('b', 1);
    await other;
    expect(started).toEqual(['b']);
    claimed = true;
    await served();
    expect(started).toEqual(['b']); // `b` has the only place.
    pool.stop();
    await wanted;
    expect(started).toEqual(['b', 'a stopped']);
  });
});

test('after stop nothing starts: neither the stages that wait nor those that come later', async () => {
  const { want, started, pool } = startList(1);
  void want('running', 2);
  const waiting = want('waiting', 1);
  await served();
  pool.stop();
  await waiting;
  await want('late', 1);
  expect(started).toEqual(['running', 'waiting stopped', 'late stopped']);
});
