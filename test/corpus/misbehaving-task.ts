/** A task for worker threads. Its item selects a failure: it throws, hangs, exits or exhausts its memory. */
import { DiskError } from '../../lib/corpus/errors.ts';

/** Indices into the shared array: the number of items begun, and the number of waiting items that may go on. */
export const BEGUN = 0;
export const GO_ON = 1;

/** Returns the item, unless the item names a failure. */
export default function misbehave(item: string, shared: Int32Array | null): string {
  const begun = shared === null ? 0 : Atomics.add(shared, BEGUN, 1) + 1;
  while (item === 'wait' && Atomics.load(shared!, GO_ON) < begun) Atomics.wait(shared!, GO_ON, begun - 1);
  if (item === 'throw') throw new Error('on purpose');
  if (item === 'full') throw new DiskError('out/a.abc', Object.assign(new Error(), { code: 'ENOSPC' }));
  if (item === 'exit') process.exit(0);
  for (const hoard: number[][] = []; item === 'exhaust'; ) hoard.push(new Array(1e6).fill(1));
  while (item === 'hang');
  return item;
}
