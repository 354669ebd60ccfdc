/**
 * Predicts how long a plan takes, by simulating the pool with the durations of earlier runs. A stage starts when its
 * upstream stages are done and it fits beside the running ones; of several, the one expected to take longest starts
 * first.
 *
 *   a 2 min ─→ c 1 min        on 1 worker: 4 min    on 2 workers: 3 min
 *   b 1 min ─┘
 */
import type { Resources } from '../pipeline/index.ts';
import type { Capacity } from './capacity.ts';

/** A stage of the forecast. */
export interface ForecastStage {
  name: string;
  /** Names of the stages in the forecast that must be done before. */
  needs: readonly string[];
  /** Expected duration; undefined if it never ran, which counts as 0. */
  seconds: number | undefined;
  wants: Resources;
}

/**
 * Simulates a run.
 *
 * @param capacity must have nothing running, and every stage must fit on it alone (`checkFits`)
 * @returns seconds from start to end
 */
export function forecast(stages: readonly ForecastStage[], capacity: Capacity): number {
  const missing = new Map(stages.map(({ name, needs }) => [name, needs.length]));
  const downstream = new Map<string, ForecastStage[]>();
  for (const stage of stages)
    for (const need of stage.needs) downstream.set(need, [...(downstream.get(need) ?? []), stage]);
  const waiting = stages.filter(({ needs }) => needs.length === 0);
  let running: { stage: ForecastStage; gpus: string[]; ends: number }[] = [];
  let now = 0;
  for (;;) {
    // As in the pool, stages of unknown duration come first.
    waiting.sort((a, b) => (b.seconds ?? Number.POSITIVE_INFINITY) - (a.seconds ?? Number.POSITIVE_INFINITY));
    for (let i = 0; i < waiting.length && capacity.hasPlace; ) {
      const stage = waiting[i];
      const gpus = capacity.fit(stage.wants);
      if (gpus === undefined) {
        i++;
        continue;
      }
      capacity.take(stage.wants, gpus);
      running.push({ stage, gpus, ends: now + (stage.seconds ?? 0) });
      waiting.splice(i, 1);
    }
    if (running.length === 0) return now;
    now = Math.min(...running.map(({ ends }) => ends));
    for (const { stage, gpus } of running.filter(({ ends }) => ends === now)) {
      capacity.release(stage.wants, gpus);
      for (const next of downstream.get(stage.name) ?? []) {
        missing.set(next.name, missing.get(next.name)! - 1);
        if (missing.get(next.name) === 0) waiting.push(next);
      }
    }
    running = running.filter(({ ends }) => ends > now);
  }
}
