/** `repro metrics show`, `repro metrics diff [A] [B]` and `repro params diff [A] [B]`. */
import { type Changes, diffFiles, metricsFiles, openSides, paramsFiles, readLeaves, workspace } from '../compare.ts';
import type { Json } from '../json.ts';
import { openProject } from '../project.ts';
import { markdownTable, plainTable } from '../table.ts';

export interface ComparisonCall {
  json?: boolean;
  md?: boolean;
  all?: boolean;
  precision?: number;
}

/** A broken file is named on stderr; stdout stays what was asked for. */
const broken = (message: string) => void process.stderr.write(`repro: ${message}\n`);

export async function showMetrics(files: readonly string[], call: ComparisonCall): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const known = files.length > 0 ? files : await metricsFiles(project.pipeline);
  const side = workspace(project.root);
  const values: { [file: string]: { [key: string]: Json } } = {};
  for (const file of known) {
    const found = await readLeaves(side, file, broken);
    if (found !== 'broken' && found.size > 0) values[file] = Object.fromEntries(found);
  }
  await project.close();
  if (call.json) process.stdout.write(`${JSON.stringify(values, null, 2)}\n`);
  else {
    const rows = Object.entries(values).flatMap(([file, metrics]) =>
      Object.entries(metrics).map(([key, value]) => [file, key, show(value, call.precision)]),
    );
    print(['file', 'metric', 'value'], rows, call, 'there are no metrics yet');
  }
  return 0;
}

export async function diffMetrics(a: string | undefined, b: string | undefined, call: ComparisonCall): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const sides = await openSides(project.root, a, b);
  const changes = await diffFiles(await metricsFiles(project.pipeline), sides, call, broken);
  await project.close();
  printChanges(changes, [sides[0].name, sides[1].name], call, 'metric');
  return 0;
}

export async function diffParams(a: string | undefined, b: string | undefined, call: ComparisonCall): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const sides = await openSides(project.root, a, b);
  const changes = await diffFiles(paramsFiles(project.pipeline), sides, call, broken);
  await project.close();
  printChanges(changes, [sides[0].name, sides[1].name], call, 'param');
  return 0;
}

function printChanges(changes: Changes, [a, b]: readonly [string, string], call: ComparisonCall, what: string): void {
  if (call.json) {
    process.stdout.write(`${JSON.stringify(changes, null, 2)}\n`);
    return;
  }
  const rows = Object.entries(changes).flatMap(([file, keys]) =>
    Object.entries(keys).map(([key, change]) => [
      file,
      key,
      show(change.old, call.precision),
      show(change.new, call.precision),
      change.diff === undefined ? '' : `${change.diff > 0 ? '+' : ''}${show(change.diff, call.precision)}`,
    ]),
  );
  print(['file', what, a, b, 'change'], rows, call, `no ${what} differs between ${a} and ${b}`);
}

function print(header: string[], rows: string[][], call: ComparisonCall, nothing: string): void {
  if (rows.length === 0) process.stdout.write(`${nothing}\n`);
  else process.stdout.write(call.md ? markdownTable(header, rows) : plainTable(header, rows));
}

function show(value: Json | undefined, precision = 5): string {
  if (value === undefined) return '—';
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(precision)));
  return typeof value === 'string' ? value : JSON.stringify(value);
}
