/** The lists at the top of dvc.yaml: metrics, plots, params, artifacts. */
import { posix } from 'node:path';
import { canonical, isMapping, type Json } from '../documents/index.ts';
import type { DvcDocument } from './dvc-document.ts';
import type { Report } from './report.ts';

/** The keys of dvc.yaml that pipeline.yaml takes over as they are. */
const KNOWN = ['stages', 'vars', 'metrics', 'plots', 'params', 'artifacts'];

/**
 * Translates the lists in place.
 *
 * @param isMade whether a stage makes a path, which is relative to the folder of the file
 */
export function translateLists(document: DvcDocument, report: Report, isMade: (path: string) => boolean): void {
  const top = document.top!;
  for (const key of document.removeEmpty(top, [...KNOWN, 'datasets']))
    report.drop(`"${key}" is empty`, document.place([key]));
  translatePlots(document, report);
  for (const key of ['metrics', 'plots'] as const) dropUnmade(document, report, key, isMade);
  if (top.has('datasets')) {
    report.leave('datasets: add a stage that downloads each of them', document.place(['datasets']));
    top.delete('datasets');
  }
  if (top.has('artifacts')) report.take('artifacts, which have no effect: repro has no model registry');
  for (const [key] of document.entries(top))
    if (!KNOWN.includes(key)) {
      report.drop(`unknown key "${key}"`, document.place([key]));
      top.delete(key);
    }
}

/** DVC stops at a file that is missing; pipeline.yaml has only files that a run keeps up to date. */
function dropUnmade(
  document: DvcDocument,
  report: Report,
  key: 'metrics' | 'plots',
  isMade: (path: string) => boolean,
): void {
  const list = document.list(document.top!.get(key, true));
  if (list === undefined) return;
  for (let i = list.items.length - 1; i >= 0; i--) {
    const map = document.map(list.items[i]);
    const paths =
      map === undefined ? [String(document.valueOf(list.items[i]))] : document.entries(map).map(([path]) => path);
    const unmade = paths.find((path) => !isMade(path));
    if (unmade === undefined) continue;
    report.leave(
      `no stage makes ${unmade}, so ${key} does not list it; add it to the outputs of a stage`,
      document.place([key, i]),
    );
    list.items.splice(i, 1);
  }
  if (list.items.length === 0) document.top!.delete(key);
}

/**
 * A plot of DVC may have a name and columns of several files. Here a plot is one file.
 *
 *   roc: {x: fpr, y: {a.json: tpr, b.json: tpr}}  →  a.json: {x: fpr, y: tpr, title: roc}  and  b.json: …
 */
function translatePlots(document: DvcDocument, report: Report): void {
  const top = document.top!;
  // DVC also accepts a mapping of plots.
  const mapping = document.map(top.get('plots', true));
  if (mapping !== undefined)
    top.set(
      'plots',
      document.node(document.entries(mapping).map(([name, options]) => ({ [name]: document.valueOf(options) }))),
    );
  const list = document.list(top.get('plots', true));
  if (list === undefined) return;
  const items: unknown[] = [];
  const seen = new Set<string>();
  for (const [i, item] of list.items.entries()) {
    const map = document.map(item);
    if (map === undefined) {
      items.push(item);
      continue;
    }
    for (const [name, options] of document.entries(map))
      for (const [path, kept] of plotsOf(document, name, options, ['plots', i, name], report)) {
        const key = canonical([path, kept as Json]);
        if (seen.has(key)) continue;
        seen.add(key);
        items.push(document.node(Object.keys(kept).length === 0 ? path : { [path]: kept }));
      }
    const first = items.at(-1) as { commentBefore?: string } | undefined;
    const { commentBefore } = item as { commentBefore?: string };
    if (first !== undefined && commentBefore) first.commentBefore = commentBefore;
  }
  list.items = items as typeof list.items;
}

function plotsOf(
  document: DvcDocument,
  name: string,
  node: unknown,
  at: (string | number)[],
  report: Report,
): [path: string, options: { [key: string]: unknown }][] {
  const value = document.valueOf(node);
  if (!isMapping(value)) return [[name, {}]];
  const { x, y, template, ...rest } = value as { [key: string]: Json };
  if (template !== undefined)
    report.drop(
      `plot ${name}: template ${String(template)}; repro draws lines, and a .vl.json as it is`,
      document.place(at),
    );
  if (!isMapping(y)) {
    const kept = { ...rest, ...(x === undefined || isMapping(x) ? {} : { x }), ...(y === undefined ? {} : { y }) };
    return [[name, kept]];
  }
  const files = Object.entries(y);
  if (files.length > 1)
    report.drop(`plot ${name}: its ${files.length} files are ${files.length} plots`, document.place(at));
  const title = rest.title ?? name;
  return files.map(([file, columns]) => {
    const own = isMapping(x) ? x[file] : x;
    return [posix.normalize(file), { ...rest, title, ...(own === undefined ? {} : { x: own }), y: columns }];
  });
}
