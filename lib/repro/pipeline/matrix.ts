/**
 * Expands `matrix` (with `exclude`) and `foreach`: one definition becomes many stages, with the names that DVC gives.
 */

import { canonical, isMapping, type Json, show } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';

/** One stage of a matrix or foreach. */
export interface Cell {
  /** The part of the stage's name after the @. */
  name: string;
  /** The value of ${item}. */
  item: Json;
  /** The value of ${key}. */
  key: Json;
  /** The value on each axis, as written in the name. `foreach` has one axis, "item". */
  axes: { [axis: string]: string };
}

/**
 * Every combination of the axes; the last axis changes fastest. The name joins the values by "-"; if an axis contains
 * lists or mappings, its values are named by axis and index.
 *
 * An axis is a list of values, or `{by, values}`. `values` then maps the values of an earlier axis to lists; `default`
 * is the list of all others.
 *
 * @throws ReproError if the matrix has no axis, if an axis is not a list or lists a value twice, or if `exclude` or
 *   `by`
 *   names an axis that the matrix does not have
 */
export function matrixCells(axes: { readonly [axis: string]: Json }): Cell[] {
  const { exclude = [], ...rest } = axes;
  if (!Array.isArray(exclude)) throw new ReproError(`exclude must be a list of combinations, but is ${show(exclude)}`);
  let cells: { axes: Record<string, string>; item: Record<string, Json> }[] = [{ axes: {}, item: {} }];
  for (const [i, [axis, values]] of Object.entries(rest).entries()) {
    const valuesOf = valuesByCell(axis, values, Object.keys(rest).slice(0, i));
    cells = cells.flatMap(({ axes, item }) => {
      const list = valuesOf(axes);
      const plain = list.every(isPlain);
      return list.map((value, i) => ({
        axes: { ...axes, [axis]: plain ? String(value) : `${axis}${i}` },
        item: { ...item, [axis]: value },
      }));
    });
  }
  if (Object.keys(rest).length === 0) throw new ReproError('the matrix has no axis; give it a list of values');
  for (const combination of exclude) {
    if (!isMapping(combination))
      throw new ReproError(`exclude must have combinations of axes, but has ${show(combination)}`);
    const unknown = Object.keys(combination).find((axis) => !Object.hasOwn(rest, axis));
    if (unknown !== undefined)
      throw new ReproError(
        `exclude names "${unknown}", which is not an axis; the axes are ${Object.keys(rest).join(', ')}`,
      );
  }
  return cells
    .filter(({ item }) => !exclude.some((combination) => matches(item, combination)))
    .map(({ axes, item }) => {
      const name = Object.values(axes).join('-');
      return { name, item, key: name, axes };
    });
}

/**
 * The values of an axis, as a function of the cell's values on earlier axes. All lists are checked at once, also those
 * that no cell uses.
 */
function valuesByCell(
  axis: string,
  values: Json,
  earlier: string[],
): (axes: Readonly<Record<string, string>>) => readonly Json[] {
  if (!isMapping(values) || !Object.hasOwn(values, 'by')) {
    const list = axisList(`matrix.${axis}`, values);
    return () => list;
  }
  const { by, values: lists, ...others } = values as { [key: string]: Json };
  const [other] = Object.keys(others);
  if (other !== undefined) throw new ReproError(`matrix.${axis} has the keys by and values, but also ${show(other)}`);
  if (typeof by !== 'string' || !earlier.includes(by))
    throw new ReproError(
      `matrix.${axis}.by must name an axis before ${axis} (${earlier.join(', ') || 'there is none'}), but is ${show(by)}`,
    );
  if (!isMapping(lists)) {
    const list = axisList(`matrix.${axis}.values`, lists);
    return () => list;
  }
  const byValue = new Map(
    Object.entries(lists).map(([value, list]) => [value, axisList(`matrix.${axis}.values.${value}`, list as Json)]),
  );
  return (axes) => {
    const list = byValue.get(axes[by]) ?? byValue.get('default');
    if (list === undefined)
      throw new ReproError(`matrix.${axis}.values has no list for the ${by} ${axes[by]}, and no default`);
    return list;
  };
}

/** Checks a list of values of an axis. */
function axisList(name: string, values: Json): readonly Json[] {
  if (!Array.isArray(values)) throw new ReproError(`${name} must be a list, but is ${show(values)}`);
  if (values.every(isPlain)) refuseDuplicates(name, values);
  return values;
}

function matches(item: Record<string, Json>, combination: Json): boolean {
  return Object.entries(combination as object).every(([axis, value]) => canonical(item[axis]) === canonical(value));
}

/** Whether a value has a name of its own: it is neither a list nor a mapping. */
function isPlain(value: Json): boolean {
  return !Array.isArray(value) && !isMapping(value);
}

/**
 * Refuses a value that is listed twice, also in another form such as 1 and 1.0: two stages would have the same name or
 * do the same.
 */
function refuseDuplicates(list: string, values: readonly Json[]): void {
  const seen = new Set<string>();
  for (const value of values) {
    const twice = seen.has(String(value)) || seen.has(canonical(value));
    if (twice) throw new ReproError(`${list} holds ${show(value)} twice`);
    seen.add(String(value)).add(canonical(value));
  }
}

/**
 * One cell for each item. Names are the keys of a mapping, or the values of a list, or the indices if an item of the
 * list is a list or mapping.
 *
 * @throws ReproError if `over` is neither, or has a value twice
 */
export function foreachCells(over: Json): Cell[] {
  if (isMapping(over))
    return Object.entries(over).map(([key, item]) => ({ name: key, item, key, axes: { item: key } }));
  if (!Array.isArray(over)) throw new ReproError(`foreach must go over a list or a mapping, but is ${show(over)}`);
  const plain = over.every(isPlain);
  if (plain) refuseDuplicates('foreach', over);
  return over.map((item, i) => {
    const name = plain ? String(item) : String(i);
    return { name, item, key: plain ? name : i, axes: { item: name } };
  });
}
