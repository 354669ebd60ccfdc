/**
 * Metrics as tables for people. Files that cells of one matrix made are lined up in one table, the axes as columns:
 *
 *   train
 *   metric    size  seed  HEAD   workspace  change  spread over seed
 *   val.loss  tiny     1  1.912      1.911  -0.001             0.014  within noise
 *   val.loss  tiny     2  1.898      1.899  +0.001             0.014  within noise
 *   val.loss  base     1  1.604      1.542  -0.062              0.01
 *
 * An axis whose values only repeat a measurement (seed, repeat, replicate, trial; also in the plural, also after a prefix as
 * in `data_seed`) says how much chance alone does: among cells that are equal on all other axes, the spread is the largest
 * value less the smallest. A change no larger than that, on whichever side that is smaller, is within noise: so a single run
 * gone astray on one side does not pass for chance.
 *
 * The items of a list of mappings (points of a fit, samples, epochs) are data that the measures rest on, and many: they are
 * counted in a sentence, and shown with --all.
 */

import { equal, type Json } from '../documents/index.ts';
import { listNames, plural } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { Change, Changes, Side } from './compare.ts';

export interface Table {
  /** Absent for files that no matrix made. */
  title?: string;
  header: string[];
  rows: string[][];
}

const REPEATS = /^(.*[_-])?(seed|repeat|replicate|trial)s?$/i;
/** 0.9 − 0.8 is to be no larger than 1 − 0.9. */
const ROUNDING = 1 + 1e-9;

/** What one matrix made: its metrics files (of each cell the first, or the second, …) with the cells' axes. */
interface Sweep {
  title: string;
  axes: string[];
  cells: Map<string, readonly string[]>;
}

/** What a key of an item of a list of mappings looks like: "each[0].bars". */
const IN_LIST = /\[\d+\]\./;

/** Tables, and sentences about what they leave out. */
export interface Tables {
  tables: Table[];
  notes: string[];
}

/** The values there are, by file and key. */
export function valueTables(
  values: { readonly [file: string]: { readonly [key: string]: Json } },
  stages: readonly Stage[],
  { all = false, precision }: { all?: boolean; precision?: number } = {},
): Tables {
  let listed = 0;
  const found = tables(values, stages, () => ({
    header: ['value'],
    cells: (value, _file, key) => {
      if (all || !IN_LIST.test(key)) return [show(value, precision)];
      listed++;
      return undefined;
    },
  }));
  const notes = listed > 0 ? [`lists of mappings hold ${plural(listed, 'more value')} (--all shows them)`] : [];
  return { tables: found, notes };
}

/**
 * What differs between two sides, of every value of both; `all`: also what does not. A file that one side does not have is
 * no row for each value, but part of a sentence. `today`: the stages of sides that do not know theirs.
 */
export function diffTables(
  changes: Changes,
  sides: readonly [Side, Side],
  today: readonly Stage[],
  { all = false, precision }: { all?: boolean; precision?: number } = {},
): Tables {
  const [a, b] = sides.map(({ name }) => name);
  const stages = stagesOf(sides, today);
  const without = (side: 'old' | 'new') =>
    Object.keys(changes).filter((file) => Object.values(changes[file]).every((change) => change[side] === undefined));
  const [added, removed] = all ? [[], []] : [without('old'), without('new')];
  const oneSided = new Set([...added, ...removed]);
  let listed = 0;
  const found = tables(changes, stages, (sweep, ofFile) => {
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
        const isWithin = spread !== undefined && Boolean(change.diff) && Math.abs(change.diff!) <= spread * ROUNDING;
        return [
          ...changeCells(change, precision),
          ...(noise ? [spread === undefined ? '' : show(spread, precision), isWithin ? 'within noise' : ''] : []),
        ];
      },
    };
  });
  /** The stages that make them; a file that is no stage's any more stands for itself. */
  const makers = (files: readonly string[]) => {
    const makes = (file: string) => (stage: Stage) => stage.outs.some(({ path }) => path === file);
    const names = stages.filter((stage) => files.some((file) => makes(file)(stage))).map(({ name }) => name);
    return [...names, ...files.filter((file) => !stages.some(makes(file)))];
  };
  const hint = '(--all shows the values)';
  const notes: string[] = [];
  if (listed > 0)
    notes.push(`in lists of mappings ${plural(listed, 'more value differs', 'more values differ')} (--all shows them)`);
  if (added.length > 0 && added.length === Object.keys(changes).length)
    notes.push(
      `${a} has no metrics, so there is nothing to compare ${b} with (--all shows the values of its ${files(added)})`,
    );
  else if (added.length > 0) notes.push(`only ${b} has ${files(added)}: ${listNames(makers(added))} ${hint}`);
  if (removed.length > 0) {
    const left = new Set((sides[1].stages ?? today).map(({ name }) => name));
    const gone = makers(removed).filter((name) => !left.has(name));
    const still = makers(removed).filter((name) => left.has(name));
    if (gone.length > 0) notes.push(`removed from the pipeline since ${a}: ${listNames(gone)} ${hint}`);
    if (still.length > 0) notes.push(`only ${a} has metrics of ${listNames(still)} ${hint}`);
  }
  return { tables: found, notes };
}

/** Those of the newer side, then those that only the older one has. */
function stagesOf([a, b]: readonly [Side, Side], today: readonly Stage[]): Stage[] {
  const newer = b.stages ?? today;
  const known = new Set(newer.map(({ name }) => name));
  return [...newer, ...(a.stages ?? []).filter(({ name }) => !known.has(name))];
}

type Values<T> = { readonly [file: string]: { readonly [key: string]: T } };

/** What stands in a row right of the names; no cells: no row. */
interface Columns<T> {
  header: string[];
  cells(value: T, file: string, key: string): string[] | undefined;
}

/** A table of the files that no matrix made, then one a sweep. */
function tables<T>(
  values: Values<T>,
  stages: readonly Stage[],
  columns: (sweep: Sweep | undefined, values: Values<T>) => Columns<T>,
): Table[] {
  const sweeps = findSweeps(stages, new Set(Object.keys(values)));
  const swept = new Set(sweeps.flatMap(({ cells }) => [...cells.keys()]));
  const ofAlone = columns(undefined, values);
  const alone: Table = { header: ['file', 'metric', ...ofAlone.header], rows: [] };
  for (const [file, metrics] of Object.entries(values)) {
    if (swept.has(file)) continue;
    for (const [key, value] of Object.entries(metrics)) {
      const cells = ofAlone.cells(value, file, key);
      if (cells) alone.rows.push([file, key, ...cells]);
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
  return [alone, ...ofSweeps].filter(({ rows }) => rows.length > 0);
}

function findSweeps(stages: readonly Stage[], files: ReadonlySet<string>): Sweep[] {
  const sweeps = new Map<string, Sweep>();
  for (const { group, axes, outs } of stages) {
    if (axes === undefined) continue;
    for (const [i, { path }] of outs.filter(({ kind }) => kind === 'metric').entries()) {
      if (!files.has(path)) continue;
      const title = i === 0 ? group : `${group}, metrics file ${i + 1}`;
      // Cells that are gone may have had other axes.
      const known = JSON.stringify([title, Object.keys(axes)]);
      const sweep = sweeps.get(known) ?? { title, axes: Object.keys(axes), cells: new Map() };
      sweeps.set(known, sweep);
      sweep.cells.set(path, Object.values(axes));
    }
  }
  return [...sweeps.values()];
}

interface Noise {
  /** Those that repeat. */
  axes: string[];
  /** What a repetition alone changes; undefined where there is no second. */
  spread(file: string, key: string): number | undefined;
}

/** Undefined: the sweep repeats nothing. */
function noiseOf({ axes, cells }: Sweep, changes: Values<Change>): Noise | undefined {
  const others = (values: readonly string[]) => JSON.stringify(values.filter((_, i) => !REPEATS.test(axes[i])));
  const repeats = new Map<string, string[]>();
  for (const [file, values] of cells) repeats.set(others(values), [...(repeats.get(others(values)) ?? []), file]);
  // Without an axis that repeats, each cell differs from all others and stands alone here.
  if ([...repeats.values()].every((files) => files.length < 2)) return undefined;
  return {
    axes: axes.filter((axis) => REPEATS.test(axis)),
    spread: (file, key) => {
      const alike = repeats.get(others(cells.get(file)!))!.map((other) => changes[other][key]);
      const ranges = (['old', 'new'] as const)
        .map((side) => range(alike.map((change: Change | undefined) => change?.[side])))
        .filter((value) => value !== undefined);
      return ranges.length === 0 ? undefined : Math.min(...ranges);
    },
  };
}

function range(values: readonly (Json | undefined)[]): number | undefined {
  const numbers = values.filter((value) => typeof value === 'number');
  return numbers.length < 2 ? undefined : Math.max(...numbers) - Math.min(...numbers);
}

function files(paths: readonly string[]): string {
  return plural(paths.length, 'metrics file');
}

/** Old, new and their difference. */
export function changeCells(change: Change, precision?: number): string[] {
  const { diff } = change;
  return [
    show(change.old, precision),
    show(change.new, precision),
    diff === undefined ? oneSided(change) : `${diff > 0 ? '+' : ''}${show(diff, precision)}`,
  ];
}

function oneSided(change: Change): string {
  if ((change.old === undefined) === (change.new === undefined)) return '';
  return change.old === undefined ? 'new' : 'removed';
}

/** Counts stay whole; other numbers have at most `precision` significant digits. */
function show(value: Json | undefined, precision = 5): string {
  if (value === undefined) return '—';
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(precision)));
  return typeof value === 'string' ? value : JSON.stringify(value);
}
