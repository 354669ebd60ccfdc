/**
 * How long a plan will take: the pool played through with the durations of earlier runs. Stages start in the order in
 * which the pool takes them (longest expected first) as soon as those above them are done and they fit beside the others.
 *
 *   a 2 min ─→ c 1 min        on 1 worker: 4 min    on 2 workers: 3 min
 *   b 1 min ─┘
 */

import type { Resources } from '../pipeline/index.ts';
import type { Capacity } from './capacity.ts';

export interface ForecastStage {
  name: string;
  /** Of those in the forecast, the ones that must be done before. */
  needs: readonly string[];
  /** undefined: it never ran, and counts as nothing. */
  seconds: number | undefined;
  wants: Resources;
}

/** Seconds from start to end. `capacity` must be unused; every stage must fit on it when it is alone. */
export function forecast(stages: readonly ForecastStage[], capacity: Capacity): number {
  const missing = new Map(stages.map(({ name, needs }) => [name, needs.length]));
  const below = new Map<string, ForecastStage[]>();
  for (const stage of stages) for (const need of stage.needs) below.set(need, [...(below.get(need) ?? []), stage]);
  const waiting = stages.filter(({ needs }) => needs.length === 0);
  let running: { stage: ForecastStage; gpus: string[]; ends: number }[] = [];
  let now = 0;
  for (;;) {
    // The pool asks those it knows nothing of first.
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
      capacity.giveBack(stage.wants, gpus);
      for (const next of below.get(stage.name) ?? []) {
        missing.set(next.name, missing.get(next.name)! - 1);
        if (missing.get(next.name) === 0) waiting.push(next);
      }
    }
    running = running.filter(({ ends }) => ends > now);
  }
}
