/** Work on very many small files is done without waiting; now and then signals, timers and what stages say get their turn. */
import { setImmediate as turn } from 'node:timers/promises';

/** Milliseconds */
const LONGEST_TURN = 20;

let began = performance.now();

export async function yieldToEventLoop(): Promise<void> {
  if (performance.now() - began < LONGEST_TURN) return;
  await turn();
  began = performance.now();
}
