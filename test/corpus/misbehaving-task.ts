/** A task that does as its item says: what no file should be able to make a converter do. */
import { DiskError } from '../../lib/corpus/errors.ts';

export default function misbehave(item: string): string {
  if (item === 'throw') throw new Error('as told');
  if (item === 'full') throw new DiskError('out/a.abc', Object.assign(new Error(), { code: 'ENOSPC' }));
  if (item === 'exit') process.exit(0);
  for (const hoard: number[][] = []; item === 'exhaust'; ) hoard.push(new Array(1e6).fill(1));
  while (item === 'hang');
  return item;
}
