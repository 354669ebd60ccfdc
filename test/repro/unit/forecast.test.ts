/** How long a plan takes, from the durations of earlier runs. Times in seconds. */
import { expect, test } from 'vitest';
import { Capacity } from '../../../lib/repro/forecast/capacity.ts';
import { type ForecastStage, forecast } from '../../../lib/repro/forecast/forecast.ts';
import { resources } from './stage.ts';

const capacity = (jobs: number, gpus: string[] = []) => new Capacity(jobs, { cpus: 4, memory: 1, gpus }, { net: 1 });

const stage = (
  name: string,
  seconds: number | undefined,
  needs: string[] = [],
  wants = resources({}),
): ForecastStage => ({
  name,
  seconds,
  needs,
  wants,
});

/** a (120 s) → c (60 s), and b (60 s) → c. */
const diamond = [stage('a', 120), stage('b', 60), stage('c', 60, ['a', 'b'])];

test('one worker runs the stages one after another', () => {
  expect(forecast(diamond, capacity(1))).toBe(240);
});

test('two workers run independent stages at the same time', () => {
  expect(forecast(diamond, capacity(2))).toBe(180);
});

test('more workers than can be used change nothing', () => {
  expect(forecast(diamond, capacity(16))).toBe(180);
});

test('a plan without stages takes no time', () => {
  expect(forecast([], capacity(1))).toBe(0);
});

test('the longest ready stage starts first', () => {
  // Longest first: 30 s beside 10 + 10 + 10 s. In the order of the list: 10 + 30 s beside 10 + 10 s.
  expect(forecast([stage('a', 10), stage('b', 10), stage('c', 10), stage('d', 30)], capacity(2))).toBe(30);
});

test('a stage without an earlier run takes no time, and starts first', () => {
  expect(forecast([stage('known', 10), stage('new', undefined)], capacity(1))).toBe(10);
  expect(forecast([stage('new', undefined), stage('below', 10, ['new'])], capacity(1))).toBe(10);
});

test('stages wait for cpus, GPUs and named limits, and smaller stages go past them', () => {
  const twice = (wants: ReturnType<typeof resources>) => [stage('a', 10, [], wants), stage('b', 10, [], wants)];
  expect(forecast(twice(resources({ cpus: 3 })), capacity(4))).toBe(20);
  expect(forecast(twice(resources({ cpus: 2 })), capacity(4))).toBe(10);
  expect(forecast(twice(resources({ gpus: 1 })), capacity(4, ['0']))).toBe(20);
  expect(forecast(twice(resources({ gpus: 1 })), capacity(4, ['0', '1']))).toBe(10);
  expect(forecast(twice(resources({ limits: { net: 1 } })), capacity(4))).toBe(20);
  expect(forecast([...twice(resources({ limits: { net: 1 } })), stage('small', 5)], capacity(2))).toBe(20);
});
