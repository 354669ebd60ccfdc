/**
 * Metrics as tables for people. The files of one matrix form one table, with the axes of the matrix as columns:
 *
 *   train
 *   metric    size  seed  HEAD   workspace  change  spread over seed
 *   val.loss  tiny     1  1.912      1.911  -0.001             0.014  within noise
 *   val.loss  tiny     2  1.898      1.899  +0.001             0.014  within noise
 *   val.loss  base     1  1.604      1.542  -0.062              0.01
 *
 * Some axes only repeat a measurement: seed, repeat, replicate and trial, also in the plural or after a prefix such as
 * `data_seed`. They show the effect of chance. Among cells that are equal on all other axes, the spread is the largest
 * value minus the smallest. A change is "within noise" if it is not larger than the spread. The smaller of the two
 * sides' spreads counts, so that one outlier on one side does not hide a change.
 *
 * Lists of mappings (points of a fit, samples, epochs) are long, and they are only the data behind the metrics. The
 * tables leave their values out and a note counts them; `--all` shows them.
 */

import { equal, type Json, numberOf, writeJson } from '../documents/index.ts';
import { listNames, plural } from '../messages/index.ts';
import { resultsOf, type Stage } from '../pipeline/index.ts';
import type { Change, Changes, Side } from './compare.ts';

/** A table, ready to print. */
export interface Table {
  /** The name of the matrix; absent for files of stages without a matrix. */
  title?: string;
  header: string[];
  rows: string[][];
}

/** The names of axes that repeat a measurement. */
const REPETITION_AXIS = /^(.*[_-])?(seed|repeat|replicate|trial)s?$/i;
/** Tolerates rounding: 1 − 0.9 and 0.9 − 0.8 must count as equal. */
const ROUNDING_TOLERANCE = 1 + 1e-9;

/** The metrics files of one matrix that have the same position in their stage, such as the first one of each cell. */
interface Sweep {
  title: string;
  /** The names of the axes. */
  axes: string[];
  /** By metrics file: the cell's value on each axis. */
  cells: Map<string, readonly string[]>;
}

/** Matches the key of a value in a list of mappings: "each[0].bars". */
const IN_LIST = /\[\d+\]\./;

/** Tables, and notes: sentences about values that the tables leave out. */
export interface Tables {
  tables: Table[];
  notes: string[];
}

/**
 * Tables of the metrics of one side.
 *
 * @param values by file, then by dotted key
 * @param stages the stages that made the files; they say which files belong to a matrix
 * @param options `all`: also values in lists of mappings. `precision`: at most this many significant digits
 */
export function valueTables(
  values: { readonly [file: string]: { readonly [key: string]: Json } },
  stages: readonly Stage[],
  { all = false, precision }: { all?: boolean; precision?: number } = {},
): Tables {
  let listed = 0;
  const tables = buildTables(values, stages, () => ({
    header: ['value'],
    cells: (value, _file, key) => {
      if (all || !IN_LIST.test(key)) return [formatValue(value, precision)];
      listed++;
      return undefined;
    },
  }));
  const notes = listed > 0 ? [`lists of mappings hold ${plural(listed, 'more value')} (--all shows them)`] : [];
  return { tables, notes };
}

/**
 * Tables of the metrics that differ between two sides. A file that only one side has is named in a note.
 *
 * @param changes every value of both sides, the unchanged ones included
 * @param workspaceStages the stages in the workspace, for a side whose own stages are unknown
 * @param options `all`: also unchanged values, values in lists of mappings and files that only one side has.
 *   `precision`: at most this many significant digits
 */
export function diffTables(
  changes: Changes,
  sides: readonly [Side, Side],
  workspaceStages: readonly Stage[],
  { all = false, precision }: { all?: boolean; precision?: number } = {},
): Tables {
  const [a, b] = sides.map(({ name }) => name);
  const stages = stagesOf(sides, workspaceStages);
  const without = (side: 'old' | 'new') =>
    Object.keys(changes).filter((file) => Object.values(changes[file]).every((change) => change[side] === undefined));
  const [added, removed] = all ? [[], []] : [without('old'), without('new')];
  const oneSided = new Set([...added, ...removed]);
  let listed = 0;
  const tables = buildTables(changes, stages, (sweep, ofFile) => {
    const noise = sweep && noiseOf(sweep, ofFile);
    return {
      header: [a, b, 'change', ...(noise ? [`spread over ${noise.axes.join(', ')}`, ''] : [])],
      cells: (change, file, key) => {
        if (oneSided.has(file) || (!all && equal(change.old, change.new))) return undefined;
        if (!all && IN_LIST.test(key)) {
          listed++;
          return undefined;
        }
        const spread = noise?.spread(file, key);
        const isWithin =
          spread !== undefined &&
          Number(change.diff ?? 0) !== 0 &&
          Math.abs(Number(change.diff)) <= spread * ROUNDING_TOLERANCE;
        return [
          ...changeCells(change, precision),
          ...(noise
            ? [spread === undefined ? '' : formatValue(spread, precision), isWithin ? 'within noise' : '']
            : []),
        ];
      },
    };
  });
  /** The names of the stages that make the files, then the files that no stage makes any more. */
  const producers = (files: readonly string[]) => {
    const makes = (file: string) => (stage: Stage) => resultsOf(stage, 'metric').some(({ path }) => path === file);
    const names = stages.filter((stage) => files.some((file) => makes(file)(stage))).map(({ name }) => name);
    return [...names, ...files.filter((file) => !stages.some(makes(file)))];
  };
  const hint = '(--all shows the values)';
  const notes: string[] = [];
  if (listed > 0)
    notes.push(`in lists of mappings ${plural(listed, 'more value differs', 'more values differ')} (--all shows them)`);
  if (added.length > 0 && added.length === Object.keys(changes).length)
    notes.push(
      `${a} has no metrics, so there is nothing to compare ${b} with (--all shows the values of its ${countFiles(added)})`,
    );
  else if (added.length > 0) notes.push(`only ${b} has ${countFiles(added)}: ${listNames(producers(added))} ${hint}`);
  if (removed.length > 0) {
    const left = new Set((sides[1].stages ?? workspaceStages).map(({ name }) => name));
    const gone = producers(removed).filter((name) => !left.has(name));
    const still = producers(removed).filter((name) => left.has(name));
    if (gone.length > 0) notes.push(`removed from the pipeline since ${a}: ${listNames(gone)} ${hint}`);
    if (still.length > 0) notes.push(`only ${a} has metrics of ${listNames(still)} ${hint}`);
  }
  return { tables, notes };
}

/** The stages of the newer side, then those that only the older side has. */
function stagesOf([a, b]: readonly [Side, Side], workspaceStages: readonly Stage[]): Stage[] {
  const newer = b.stages ?? workspaceStages;
  const known = new Set(newer.map(({ name }) => name));
  return [...newer, ...(a.stages ?? []).filter(({ name }) => !known.has(name))];
}

/** By file, then by dotted key. */
type Values<T> = { readonly [file: string]: { readonly [key: string]: T } };

/** The columns to the right of the names. */
interface ValueColumns<T> {
  header: string[];
  /** The cells of one row; undefined leaves the row out. */
  cells(value: T, file: string, key: string): string[] | undefined;
}

/** One table for the files of stages without a matrix, then one for each sweep. Empty tables are left out. */
function buildTables<T>(
  values: Values<T>,
  stages: readonly Stage[],
  columns: (sweep: Sweep | undefined, values: Values<T>) => ValueColumns<T>,
): Table[] {
  const sweeps = findSweeps(stages, new Set(Object.keys(values)));
  const swept = new Set(sweeps.flatMap(({ cells }) => [...cells.keys()]));
  const singleColumns = columns(undefined, values);
  const singles: Table = { header: ['file', 'metric', ...singleColumns.header], rows: [] };
  for (const [file, metrics] of Object.entries(values)) {
    if (swept.has(file)) continue;
    for (const [key, value] of Object.entries(metrics)) {
      const cells = singleColumns.cells(value, file, key);
      if (cells) singles.rows.push([file, key, ...cells]);
    }
  }
  const ofSweeps = sweeps.map((sweep): Table => {
    const { header, cells } = columns(sweep, values);
    const rows: string[][] = [];
    for (const key of new Set([...sweep.cells.keys()].flatMap((file) => Object.keys(values[file]))))
      for (const [file, axes] of sweep.cells) {
        const row = Object.hasOwn(values[file], key) ? cells(values[file][key], file, key) : undefined;
        if (row) rows.push([key, ...axes, ...row]);
      }
    return { title: sweep.title, header: ['metric', ...sweep.axes, ...header], rows };
  });
  return [singles, ...ofSweeps].filter(({ rows }) => rows.length > 0);
}

function findSweeps(stages: readonly Stage[], files: ReadonlySet<string>): Sweep[] {
  const sweeps = new Map<string, Sweep>();
  for (const stage of stages) {
    const { group, axes } = stage;
    if (axes === undefined) continue;
    for (const [i, { path }] of resultsOf(stage, 'metric').entries()) {
      if (!files.has(path)) continue;
      const title = i === 0 ? group : `${group}, metrics file ${i + 1}`;
      // The cells of an older revision may have had other axes.
      const id = JSON.stringify([title, Object.keys(axes)]);
      const sweep = sweeps.get(id) ?? { title, axes: Object.keys(axes), cells: new Map() };
      sweeps.set(id, sweep);
      sweep.cells.set(path, Object.values(axes));
    }
  }
  return [...sweeps.values()];
}

/** The effect of chance in a sweep. */
interface Noise {
  /** The names of the axes that repeat a measurement. */
  axes: string[];
  /** The spread over the repetitions of a cell, on the side where it is smaller; undefined if there is only one. */
  spread(file: string, key: string): number | undefined;
}

/**
 * Groups the cells of a sweep that differ only on repetition axes.
 *
 * @returns undefined if no measurement is repeated
 */
function noiseOf({ axes, cells }: Sweep, changes: Values<Change>): Noise | undefined {
  const otherAxes = (values: readonly string[]) =>
    JSON.stringify(values.filter((_, i) => !REPETITION_AXIS.test(axes[i])));
  const repeats = new Map<string, string[]>();
  for (const [file, values] of cells) repeats.set(otherAxes(values), [...(repeats.get(otherAxes(values)) ?? []), file]);
  // Without a repetition axis, every group of equal cells holds one cell only.
  if ([...repeats.values()].every((files) => files.length < 2)) return undefined;
  return {
    axes: axes.filter((axis) => REPETITION_AXIS.test(axis)),
    spread: (file, key) => {
      const alike = repeats.get(otherAxes(cells.get(file)!))!.map((other) => changes[other][key]);
      const ranges = (['old', 'new'] as const)
        .map((side) => range(alike.map((change: Change | undefined) => change?.[side])))
        .filter((value) => value !== undefined);
      return ranges.length === 0 ? undefined : Math.min(...ranges);
    },
  };
}

/** The largest number minus the smallest; undefined if there are fewer than two numbers. */
function range(values: readonly (Json | undefined)[]): number | undefined {
  const numbers = values
    .map(numberOf)
    .filter((value) => value !== undefined)
    .map(Number);
  return numbers.length < 2 ? undefined : Math.max(...numbers) - Math.min(...numbers);
}

function countFiles(paths: readonly string[]): string {
  return plural(paths.length, 'metrics file');
}

/**
 * The three cells of a change: old value, new value and difference.
 *
 * @param precision at most this many significant digits; 'as written': the old and the new value are not shortened
 * @returns the third cell is "new" or "removed" if only one side has the value, and empty if the values are not numbers
 */
export function changeCells(change: Change, precision?: number | 'as written'): string[] {
  const { diff } = change;
  return [
    formatValue(change.old, precision),
    formatValue(change.new, precision),
    diff === undefined
      ? describeOneSided(change)
      : `${Number(diff) > 0 ? '+' : ''}${formatValue(diff, precision === 'as written' ? undefined : precision)}`,
  ];
}

function describeOneSided(change: Change): string {
  if ((change.old === undefined) === (change.new === undefined)) return '';
  return change.old === undefined ? 'new' : 'removed';
}

/** Integers are printed in full. Other numbers have at most `precision` significant digits. */
function formatValue(value: Json | undefined, precision: number | 'as written' = 5): string {
  if (value === undefined) return '—';
  const number = numberOf(value);
  if (number !== undefined && precision === 'as written') return String(value);
  if (typeof number === 'bigint' || Number.isInteger(number)) return String(number);
  if (number !== undefined) return String(Number(number.toPrecision(precision as number)));
  return typeof value === 'string' ? value : writeJson(value);
}
