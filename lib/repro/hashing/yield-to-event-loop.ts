/**
 * Lets the event loop run during synchronous work on many small files, so that signals, timers and output are handled.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of work without a break. */
const LONGEST_TURN = 20;

let began = performance.now();

/** Waits for one turn of the event loop, if the last one was more than LONGEST_TURN ago. */
export async function yieldToEventLoop(): Promise<void> {
  if (performance.now() - began < LONGEST_TURN) return;
  await nextTurn();
  began = performance.now();
}
