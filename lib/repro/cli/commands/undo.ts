/** `repro undo`: takes the edits of the last call with -S back. It runs nothing. */
import { undoLastEdits } from '../../edits/index.ts';
import { findRoot } from '../../pipeline/index.ts';
import { printLine } from '../output.ts';

/** @returns the exit code, 0 */
export async function undo(): Promise<number> {
  const { edits, files } = await undoLastEdits(findRoot(process.cwd()));
  printLine(
    `took back ${edits.map((edit) => `-S ${edit}`).join(' ')}; ${files.join(' and ')} ${files.length === 1 ? 'is' : 'are'} as before`,
  );
  return 0;
}
