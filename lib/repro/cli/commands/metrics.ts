/** `repro metrics show`, `repro metrics diff [A] [B]`, `repro params show` and `repro params diff [A] [B]`. */

import { join } from 'node:path';
import { type Json, WrittenNumber, writeJson } from '../../documents/index.ts';
import { statOrUndefined } from '../../freshness/index.ts';
import { escapeLine, ReproError, suggestion } from '../../messages/index.ts';
import { contains, normalise, PARAMS, type Stage } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';
import {
  changeCells,
  diffFiles,
  diffTables,
  metricsFiles,
  openSides,
  pairMetrics,
  paramsFiles,
  readLeaves,
  type Table,
  type Tables,
  valueTables,
  workspace,
} from '../../results/index.ts';
import { printJson } from '../json-output.ts';
import { print, printError } from '../output.ts';
import { reportGaps } from '../report-gaps.ts';
import { markdownTable, plainTable } from '../table.ts';

/** The options of the four commands. */
export interface ComparisonOptions {
  json?: boolean;
  /** As Markdown tables. */
  md?: boolean;
  /** Also unchanged values and values in lists of mappings. */
  all?: boolean;
  /** At most this many significant digits. */
  precision?: number;
  /** Files to compare, relative to the current folder; default: all. */
  targets?: string[];
}

/** A file that cannot be read is named on stderr, so that stdout holds only results. */
const reportUnreadable = (message: string) => void printError(message);

/**
 * Prints the metrics in the workspace. Files that cannot be shown are named on stderr.
 *
 * @param names metrics files to show, relative to the current folder; none: those of all stages
 * @returns the exit code: 1 if a file that was asked for cannot be shown, else 0
 * @throws ReproError if a name is neither a file nor an output
 */
export async function showMetrics(names: readonly string[], options: ComparisonOptions): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  const { root, pipeline } = project;
  const made = metricsFiles(pipeline.stages);
  const folder = normalise(root, '.', process.cwd());
  const asked = names.map((name) => normalise(root, folder, name));
  checkNames(root, asked, pipeline.stages);
  const files = asked.length > 0 ? asked : made;
  const gaps = new Set(reportGaps(root, files));
  const side = workspace(project);
  const values: { [file: string]: { [key: string]: Json } } = {};
  const texts = await side.readAll(files);
  for (const file of files) {
    if (gaps.has(file)) continue;
    if (!texts.has(file)) printError(`${file} cannot be read`);
    const found = texts.has(file) ? await readLeaves(side, file, texts.get(file), reportUnreadable) : 'unreadable';
    if (found === 'unreadable') gaps.add(file);
    else if (found.size > 0) values[file] = Object.fromEntries(found);
    else printError(`${file} holds no values`);
  }
  if (options.json) printJson(values, 2);
  else printTables(valueTables(values, pipeline.stages, options), options, 'there are no metrics yet');
  return asked.length > 0 && gaps.size > 0 ? 1 : 0;
}

/** @throws ReproError if a path is neither a file nor an output of a stage */
function checkNames(root: string, paths: readonly string[], stages: readonly Stage[]): void {
  const outs = stages.flatMap((stage) => stage.outs.map(({ path }) => path));
  const unknown = paths.filter(
    (path) => statOrUndefined(join(root, path)) === undefined && !outs.some((out) => contains(out, path)),
  );
  if (unknown.length === 0) return;
  const known = metricsFiles(stages);
  throw new ReproError(
    unknown.map((path) => ({
      message: `there is no file or output ${JSON.stringify(path)}${suggestion(path, known)}`,
    })),
  );
}

/**
 * Prints which metrics differ between two sides.
 *
 * @param a a git revision; undefined: HEAD
 * @param b a git revision; undefined: the workspace
 * @returns the exit code, 0
 * @throws ReproError if git does not know a revision
 */
export async function diffMetrics(
  a: string | undefined,
  b: string | undefined,
  options: ComparisonOptions,
): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const sides = await openSides(project, a, b);
  // Tables also need the unchanged values, to compute the spread over repetitions.
  const all = options.all || !options.json;
  if (b === undefined)
    reportGaps(
      project.root,
      metricsFiles(project.pipeline.stages),
      'its values are not compared; list the files in it under metrics',
    );
  const allPairs = pairMetrics(sides, project.pipeline.stages);
  const isAsked = askedFor(
    project.root,
    options,
    allPairs.flatMap((pair) => [pair.file, pair.old ?? [], pair.new ?? []].flat()),
  );
  const pairs = allPairs.filter((pair) =>
    [pair.file, pair.old, pair.new].some((file) => file !== undefined && isAsked(file)),
  );
  const changes = await diffFiles(pairs, sides, { all }, reportUnreadable);
  await project.close();
  if (options.json) {
    printJson(changes, 2);
    return 0;
  }
  const names = [sides[0].name, sides[1].name] as const;
  const found = diffTables(changes, sides, project.pipeline.stages, options);
  printTables(found, options, `no metric differs between ${names.join(' and ')}`);
  return 0;
}

/**
 * Prints which params differ between two sides.
 *
 * @param a a git revision; undefined: HEAD
 * @param b a git revision; undefined: the workspace
 * @returns the exit code, 0
 * @throws ReproError if git does not know a revision
 */
export async function diffParams(
  a: string | undefined,
  b: string | undefined,
  options: ComparisonOptions,
): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const sides = await openSides(project, a, b);
  const stages = [...project.pipeline.stages, ...sides.flatMap((side) => side.stages ?? [])];
  const listed = paramsFiles(stages, project.pipeline.paramsFiles);
  const files = listed.filter(askedFor(project.root, options, listed)).map((file) => ({ file, old: file, new: file }));
  const changes = await diffFiles(files, sides, options, reportUnreadable);
  await project.close();
  if (options.json) {
    printJson(changes, 2);
    return 0;
  }
  const [from, to] = [sides[0].name, sides[1].name];
  const rows = Object.entries(changes).flatMap(([file, keys]) =>
    Object.entries(keys).map(([key, change]) => [file, key, ...changeCells(change, options.precision ?? 'as written')]),
  );
  const table = { header: ['file', 'param', from, to, 'change'], rows };
  printAsText(rows.length === 0 ? [] : [table], options, `no param differs between ${from} and ${to}`);
  return 0;
}

/**
 * Whether a file is one of the targets, or lies in one; without targets, any is.
 *
 * @param files those that could be compared
 * @throws ReproError if a target is none of them, and no folder with one of them
 */
function askedFor(
  root: string,
  { targets = [] }: ComparisonOptions,
  files: readonly string[],
): (file: string) => boolean {
  const folder = normalise(root, '.', process.cwd());
  const asked = targets.map((name) => normalise(root, folder, name));
  const unknown = asked.filter((path) => !files.some((file) => contains(path, file)));
  if (unknown.length > 0)
    throw new ReproError(
      unknown.map((path) => ({
        message: `--targets: neither side lists ${JSON.stringify(path)}, or a file in it${suggestion(path, files)}`,
      })),
    );
  return (file) => asked.length === 0 || asked.some((path) => contains(path, file));
}

/**
 * Prints the values of the params files.
 *
 * @param names files to show, relative to the current folder; none: those that stages or the pipeline list
 * @returns the exit code: 1 if a file that was asked for cannot be shown, else 0
 */
export async function showParams(names: readonly string[], options: ComparisonOptions): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  const { root, pipeline } = project;
  const folder = normalise(root, '.', process.cwd());
  const asked = names.map((name) => normalise(root, folder, name));
  const side = workspace(project);
  const values: { [file: string]: { [key: string]: Json } } = {};
  let gaps = 0;
  for (const file of asked.length > 0 ? asked : paramsFiles(pipeline.stages, pipeline.paramsFiles)) {
    const text = await side.read(file);
    if (text === undefined && asked.length === 0 && file === PARAMS) continue;
    if (text === undefined) printError(`${file} is missing, or cannot be read`);
    const found = text === undefined ? 'unreadable' : await readLeaves(side, file, text, reportUnreadable);
    if (found === 'unreadable') gaps++;
    else values[file] = Object.fromEntries(found);
  }
  if (options.json) printJson(values, 2);
  else {
    const rows = Object.entries(values).flatMap(([file, keys]) =>
      Object.entries(keys).map(([key, value]) => [file, key, paramCell(value)]),
    );
    printAsText(
      rows.length === 0 ? [] : [{ header: ['file', 'param', 'value'], rows }],
      options,
      'there are no params',
    );
  }
  return asked.length > 0 && gaps > 0 ? 1 : 0;
}

/** A param as it is written. A text that YAML would read as another type is in quotes. */
function paramCell(value: Json): string {
  if (value instanceof WrittenNumber) return value.text;
  return typeof value === 'string' && value !== '' ? value : writeJson(value);
}

/** @param nothing the message if there is neither a table nor a note */
function printTables({ tables, notes }: Tables, options: ComparisonOptions, nothing: string): void {
  if (tables.length > 0 || notes.length === 0) printAsText(tables, options, nothing);
  if (notes.length > 0) print(`${tables.length > 0 ? '\n' : ''}${notes.map(escapeLine).join('\n')}\n`);
}

function printAsText(tables: readonly Table[], options: ComparisonOptions, nothing: string): void {
  const texts = tables.map(({ title, header, rows }) => {
    const heading = title === undefined ? '' : options.md ? `### ${escapeLine(title)}\n\n` : `${escapeLine(title)}\n`;
    return `${heading}${options.md ? markdownTable(header, rows) : plainTable(header, rows)}`;
  });
  print(texts.length === 0 ? `${nothing}\n` : texts.join('\n'));
}
