/**
 * How long a run still takes: the forecast of the stages that have not ended, again and again while it goes on. It
 * follows the events of the run.
 *
 *   waiting   its expected seconds
 *   running   by its own progress, at first and without progress what is left of its expected seconds
 */

import { type Capacity, type Elsewhere, forecastOf } from '../forecast/index.ts';
import type { PlannedStage, Project } from '../planning/index.ts';
import type { RunEvent } from './events.ts';

/** Milliseconds between two forecasts, at least. */
const PERIOD = 1000;
/** The forecast of a large plan takes a while. It may take this share of the time. */
const SHARE = 0.02;

/** Above this share of its work, a stage's own progress predicts the time left. Below it, the forecast does. */
const TRUSTED = 0.05;

/** A stage that runs now. */
interface Running {
  /** `performance.now()` when it started. */
  started: number;
  /** From 0 to 1. */
  done?: number;
}

/** Follows one run. */
export class TimeLeft {
  readonly #project: Project;
  readonly #plan: readonly PlannedStage[];
  readonly #expected: ReadonlyMap<string, number>;
  readonly #capacity: () => Capacity;
  readonly #elsewhere: Elsewhere | undefined;
  readonly #clock: () => number;
  readonly #running = new Map<string, Running>();
  readonly #ended = new Set<string>();
  #next = Number.NEGATIVE_INFINITY;

  /**
   * @param expected seconds by stage
   * @param capacity returns a Capacity in which nothing runs
   * @param elsewhere the stages that run on other machines
   * @param clock returns milliseconds; used to measure how long a forecast takes
   */
  constructor(
    project: Project,
    plan: readonly PlannedStage[],
    expected: ReadonlyMap<string, number>,
    capacity: () => Capacity,
    clock = () => performance.now(),
    elsewhere?: Elsewhere,
  ) {
    this.#project = project;
    this.#plan = plan.filter(({ status }) => status.state === 'stale' || status.state === 'maybe');
    this.#expected = expected;
    this.#capacity = capacity;
    this.#elsewhere = elsewhere;
    this.#clock = clock;
  }

  /**
   * Takes in an event of the run.
   *
   * @param now `performance.now()`
   * @returns the seconds that are left, if it is time to say so again; stages of which nothing is known count as 0
   */
  after(event: RunEvent, now = performance.now()): number | undefined {
    if (event.event === 'start') this.#running.set(event.stage, { started: now });
    else if (event.event === 'progress') {
      const running = this.#running.get(event.stage);
      if (running !== undefined && event.total) running.done = Math.min(1, event.done / event.total);
    } else if (event.event === 'end') {
      this.#running.delete(event.stage);
      this.#ended.add(event.stage);
    } else return undefined;
    if (now < this.#next || this.#ended.size === this.#plan.length) return undefined;
    const before = this.#clock();
    const left = this.#forecast(now);
    this.#next = now + Math.max(PERIOD, (this.#clock() - before) / SHARE);
    return left;
  }

  /** undefined if nothing is known of any stage that has not ended. */
  #forecast(now: number): number | undefined {
    const open = this.#plan.filter(({ stage }) => !this.#ended.has(stage.name));
    const seconds = new Map<string, number>();
    for (const { stage } of open) {
      const left = this.#secondsOf(stage.name, now);
      if (left !== undefined) seconds.set(stage.name, left);
    }
    if (seconds.size === 0) return undefined;
    return forecastOf(this.#project, open, seconds, this.#capacity(), this.#elsewhere);
  }

  #secondsOf(stage: string, now: number): number | undefined {
    const running = this.#running.get(stage);
    const expected = this.#expected.get(stage);
    if (running === undefined) return expected;
    const elapsed = (now - running.started) / 1000;
    if (running.done && (running.done >= TRUSTED || expected === undefined))
      return (elapsed / running.done) * (1 - running.done);
    return expected === undefined ? undefined : Math.max(0, expected - elapsed);
  }
}
