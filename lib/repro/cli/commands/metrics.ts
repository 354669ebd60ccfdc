/** `repro metrics show`, `repro metrics diff [A] [B]` and `repro params diff [A] [B]`. */

import type { Json } from '../../documents/index.ts';
import { markdownTable, plainTable } from '../../messages/index.ts';
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
  const known = files.length > 0 ? files : metricsFiles(project.pipeline.stages);
  const side = workspace(project);
  const values: { [file: string]: { [key: string]: Json } } = {};
  const texts = await side.readAll(known);
  for (const file of known) {
    const found = await readLeaves(side, file, texts.get(file), broken);
    if (found !== 'broken' && found.size > 0) values[file] = Object.fromEntries(found);
  }
  await project.close();
  if (call.json) process.stdout.write(`${JSON.stringify(values, null, 2)}\n`);
  else printTables(valueTables(values, project.pipeline.stages, call), call, 'there are no metrics yet');
  return 0;
}

export async function diffMetrics(a: string | undefined, b: string | undefined, call: ComparisonCall): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const sides = await openSides(project, a, b);
  // A table needs what did not change too: it says how far repetitions lie apart.
  const all = call.all || !call.json;
  const changes = await diffFiles(pairMetrics(sides, project.pipeline.stages), sides, { all }, broken);
  await project.close();
  if (call.json) {
    process.stdout.write(`${JSON.stringify(changes, null, 2)}\n`);
    return 0;
  }
  const names = [sides[0].name, sides[1].name] as const;
  const found = diffTables(changes, sides, project.pipeline.stages, call);
  printTables(found, call, `no metric differs between ${names.join(' and ')}`);
  return 0;
}

export async function diffParams(a: string | undefined, b: string | undefined, call: ComparisonCall): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  const sides = await openSides(project, a, b);
  const stages = [...project.pipeline.stages, ...sides.flatMap((side) => side.stages ?? [])];
  const files = paramsFiles(stages).map((file) => ({ file, old: file, new: file }));
  const changes = await diffFiles(files, sides, call, broken);
  await project.close();
  if (call.json) {
    process.stdout.write(`${JSON.stringify(changes, null, 2)}\n`);
    return 0;
  }
  const [from, to] = [sides[0].name, sides[1].name];
  const rows = Object.entries(changes).flatMap(([file, keys]) =>
    Object.entries(keys).map(([key, change]) => [file, key, ...changeCells(change, call.precision)]),
  );
  const table = { header: ['file', 'param', from, to, 'change'], rows };
  print(rows.length === 0 ? [] : [table], call, `no param differs between ${from} and ${to}`);
  return 0;
}

/** `nothing`: what is said where there is neither table nor sentence. */
function printTables({ tables, notes }: Tables, call: ComparisonCall, nothing: string): void {
  if (tables.length > 0 || notes.length === 0) print(tables, call, nothing);
  if (notes.length > 0) process.stdout.write(`${tables.length > 0 ? '\n' : ''}${notes.join('\n')}\n`);
}

function print(tables: readonly Table[], call: ComparisonCall, nothing: string): void {
  const texts = tables.map(({ title, header, rows }) => {
    const heading = title === undefined ? '' : call.md ? `### ${title}\n\n` : `${title}\n`;
    return `${heading}${call.md ? markdownTable(header, rows) : plainTable(header, rows)}`;
  });
  process.stdout.write(texts.length === 0 ? `${nothing}\n` : texts.join('\n'));
}
