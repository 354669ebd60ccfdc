/** The forecast of the rest of a run, while it goes on. Times in seconds. */
import { expect, test } from 'vitest';
import { TimeLeft } from '../../../lib/repro/execution/time-left.ts';
import { Capacity } from '../../../lib/repro/forecast/capacity.ts';
import { buildGraph } from '../../../lib/repro/graph/index.ts';
import type { PlannedStage, Project } from '../../../lib/repro/planning/index.ts';
import { stage } from './stage.ts';

/** a, then b and c, which both read what a makes; d is fresh. One stage runs at a time. A forecast takes `forecastTime` ms. */
function follow(expected: Record<string, number>, forecastTime = 0) {
  const out = (path: string) => ({ path, kind: 'out', cache: true, persist: false }) as const;
  const dep = (path: string) => ({ path, optional: false });
  const stages = [
    stage('a', { outs: [out('x')] }),
    stage('b', { deps: [dep('x')] }),
    stage('c', { deps: [dep('x')] }),
    stage('d', {}),
  ];
  const project = { graph: buildGraph(stages) } as unknown as Project;
  const plan = stages.map(
    (each) => ({ stage: each, status: { state: each.name === 'd' ? 'fresh' : 'stale' } }) as unknown as PlannedStage,
  );
  const machine = { cpus: 1, memory: 1, gpus: [] };
  let now = 0;
  const clock = () => (now += forecastTime);
  return new TimeLeft(project, plan, new Map(Object.entries(expected)), () => new Capacity(1, machine, {}), clock);
}

const start = (name: string) => ({ event: 'start', stage: name, cmd: [], reasons: [] }) as const;
const progress = (name: string, done: number) => ({ event: 'progress', stage: name, done, total: 100 }) as const;
const end = (name: string) => ({ event: 'end', stage: name, outcome: 'ran', seconds: 1 }) as const;

test('it counts what waits, and what is left of the running stage: by the clock, then by its own progress', () => {
  const left = follow({ a: 100, b: 20, c: 30 });
  expect(left.after(start('a'), 0)).toBe(150);
  expect(left.after(progress('a', 1), 10_000)).toBe(140);
  // Half of it took 40 s.
  expect(left.after(progress('a', 50), 40_000)).toBe(90);
  expect(left.after(end('a'), 80_000)).toBe(50);
  expect(left.after(start('c'), 82_000)).toBe(50);
  expect(left.after(end('b'), 100_000)).toBe(12);
  expect(left.after(end('c'), 120_000)).toBeUndefined();
});

test('it is said once a second at most, and not if nothing is known', () => {
  const left = follow({ b: 20 });
  expect(left.after(start('a'), 0)).toBe(20);
  expect(left.after(progress('a', 20), 500)).toBeUndefined();
  expect(left.after(progress('a', 20), 2000)).toBe(28);
  expect(follow({}).after(start('a'), 0)).toBeUndefined();
});

test('it is said more seldom if a forecast takes long: at most a fiftieth of the time', () => {
  const left = follow({ b: 20 }, 100);
  expect(left.after(start('a'), 0)).toBe(20);
  expect(left.after(progress('a', 20), 4999)).toBeUndefined();
  expect(left.after(progress('a', 50), 5000)).toBe(25);
});
