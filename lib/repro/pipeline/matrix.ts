/** One definition into many stages: `matrix` (with `exclude`) and `foreach`, named as DVC names them. */

import { canonical, isMapping, type Json, show } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';

export interface Cell {
  /** What follows the @ in the stage's name. */
  name: string;
  /** ${item} */
  item: Json;
  /** ${key} */
  key: Json;
  /** Its value on each axis, as the name has it; `foreach` is one axis, "item". */
  axes: { [axis: string]: string };
}

/**
 * Every combination of the axes, the last axis turning fastest; values joined by "-", or axis and index for a mapping.
 */
export function matrixCells(axes: { readonly [axis: string]: Json }): Cell[] {
  const { exclude = [], ...rest } = axes;
  if (!Array.isArray(exclude)) throw new ReproError(`exclude must be a list of combinations, but is ${show(exclude)}`);
  let cells: { axes: Record<string, string>; item: Record<string, Json> }[] = [{ axes: {}, item: {} }];
  for (const [axis, values] of Object.entries(rest)) {
    if (!Array.isArray(values)) throw new ReproError(`matrix.${axis} must be a list, but is ${show(values)}`);
    const plain = values.every((value) => typeof value !== 'object' || value === null);
    if (plain) refuseTwice(`matrix.${axis}`, values);
    cells = cells.flatMap(({ axes, item }) =>
      values.map((value, i) => ({
        axes: { ...axes, [axis]: plain ? String(value) : `${axis}${i}` },
        item: { ...item, [axis]: value },
      })),
    );
  }
  for (const combination of exclude) {
    const unknown = Object.keys(combination).find((axis) => !Object.hasOwn(rest, axis));
    if (unknown !== undefined)
      throw new ReproError(
        `exclude names "${unknown}", which is no axis; the axes are ${Object.keys(rest).join(', ')}`,
      );
  }
  return cells
    .filter(({ item }) => !exclude.some((combination) => matches(item, combination)))
    .map(({ axes, item }) => {
      const name = Object.values(axes).join('-');
      return { name, item, key: name, axes };
    });
}

function matches(item: Record<string, Json>, combination: Json): boolean {
  return Object.entries(combination as object).every(([axis, value]) => canonical(item[axis]) === canonical(value));
}

/** Two stages would have one name. */
function refuseTwice(list: string, values: readonly Json[]): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(String(value))) throw new ReproError(`${list} holds ${show(value)} twice`);
    seen.add(String(value));
  }
}

/** A list gives its plain values as names, or indices where an item is a list or mapping; a mapping gives its keys. */
export function foreachCells(over: Json): Cell[] {
  if (isMapping(over))
    return Object.entries(over).map(([key, item]) => ({ name: key, item, key, axes: { item: key } }));
  if (!Array.isArray(over)) throw new ReproError(`foreach must go over a list or a mapping, but is ${show(over)}`);
  const plain = over.every((item) => typeof item !== 'object' || item === null);
  if (plain) refuseTwice('foreach', over);
  return over.map((item, i) => {
    const name = plain ? String(item) : String(i);
    return { name, item, key: plain ? name : i, axes: { item: name } };
  });
}
