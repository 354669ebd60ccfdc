/** The lines of `repro gc` about stages that are no longer in the pipeline. Many cells of a group are one line. */
import { plural } from '../../messages/index.ts';

/** An output of such a stage. */
export interface RemovedOutput {
  path: string;
  stage: string;
  /** Why it is kept: a sentence; undefined if it is freed. */
  reason?: string;
}

/** A group with at most this many cells or outputs has a line for each of them. */
const LISTED = 3;

/**
 * The lines about stages and their outputs.
 *
 * @param verb for outputs that are not kept: "freed" or "would free"
 * @returns `isShort`: whether lines stand for several stages or outputs
 */
export function describeRemoved(
  stages: readonly string[],
  outputs: readonly RemovedOutput[],
  verb: string,
): { lines: string[]; isShort: boolean } {
  const lines: string[] = [];
  let isShort = false;
  for (const [group, cells] of groupsOf(stages, groupOf)) {
    if (cells.length <= LISTED) lines.push(...cells.map((name) => `${name} is no longer in the pipeline`));
    else {
      lines.push(`${group}: ${cells.length} cells are no longer in the pipeline, such as ${cells[0]}`);
      isShort = true;
    }
  }
  const alike = groupsOf(outputs, ({ stage, reason }) => JSON.stringify([groupOf(stage), reason]));
  for (const [, some] of alike) {
    const [{ stage, path, reason }] = some;
    const fate = reason === undefined ? verb : 'kept';
    const why = reason === undefined ? '' : `: ${reason}`;
    if (some.length <= LISTED) lines.push(...some.map((output) => `${fate} ${output.path}${why}`));
    else {
      lines.push(`${fate} ${plural(some.length, 'output')} of ${groupOf(stage)}, such as ${path}${why}`);
      isShort = true;
    }
  }
  return { lines, isShort };
}

/** The group of a cell: train of train@large. */
function groupOf(stage: string): string {
  return stage.split('@', 1)[0];
}

function groupsOf<T>(list: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of list) groups.set(keyOf(each), [...(groups.get(keyOf(each)) ?? []), each]);
  return groups;
}
