/** One stage of dvc.yaml. Keys that pipeline.yaml has too stay as they are. */
import type { YAMLMap } from 'yaml';
import { isMapping, type Json, type KeyPath } from '../documents/index.ts';
import { cellItems, commandEdits, possibleValues } from './dvc-command.ts';
import type { DvcDocument, TextEdit } from './dvc-document.ts';
import { type ListContext, translateList } from './dvc-paths.ts';
import type { Report } from './report.ts';

const LISTS = ['deps', 'outs', 'metrics', 'plots'] as const;

/** The arguments that are the same for all stages of a file. */
export interface StageContext {
  document: DvcDocument;
  report: Report;
  /** The values of params.yaml and vars. */
  values: Json;
}

/** The edits of the text of a stage. */
export function editsOfStage(name: string, node: YAMLMap, { document, report, values }: StageContext): TextEdit[] {
  const { body, at } = bodyOf(name, node, document);
  const cells = cellItems(document.valueOf(node), values);
  return commandEdits(body, possibleValues(values, cells), { document, report, stage: name, at });
}

/**
 * Translates the other keys of a definition in place.
 *
 * @param node the definition, with or without `foreach`
 */
export function translateStage(name: string, node: YAMLMap, { document, report }: StageContext): void {
  const { body, at } = bodyOf(name, node, document);
  const context: ListContext = { document, report, stage: name, at };
  for (const key of document.removeEmpty(body, [...LISTS, 'params', 'vars', 'live', 'meta', 'desc']))
    report.drop(`${name}: "${key}" is empty`, document.place([...at, key]));
  translateLive(body, context);
  for (const key of LISTS) translateList(body, key, context);
  translateParams(body, context);
  if (document.map(body.get('matrix', true))?.has('exclude'))
    report.leave(
      `${name}: an axis cannot be called "exclude", which lists combinations to leave out; give it another name`,
      document.place([...at, 'matrix', 'exclude']),
    );
}

/** The mapping with the command: the definition itself, or its `do`. */
function bodyOf(name: string, node: YAMLMap, document: DvcDocument): { body: YAMLMap; at: KeyPath } {
  const inner = document.map(node.get('do', true));
  return { body: inner ?? node, at: ['stages', name, ...(inner === undefined ? [] : ['do'])] };
}

/**
 * `live` of DVC 2: a folder of DVCLive, whose tables are plots, and a file beside it with the last values.
 *
 *   live: {logs: {summary: true, html: true}}  →  plots: [logs], metrics: [logs.json]
 */
function translateLive(body: YAMLMap, { document, report, stage, at }: ListContext): void {
  const live = document.map(body.get('live', true));
  if (live === undefined) return;
  for (const [path, options] of document.entries(live)) {
    const value = document.valueOf(options);
    const { cache, summary } = (isMapping(value) ? value : {}) as { cache?: boolean; summary?: boolean };
    const uncached = cache === false ? { cache: false } : undefined;
    addTo(body, 'plots', uncached ? { [path]: uncached } : path, document);
    if (summary !== false) addTo(body, 'metrics', { [`${path}.json`]: { cache: false } }, document);
    report.leave(
      `${stage}: live: ${path} became the plots ${path}${summary === false ? '' : ` and the metrics ${path}.json`}; check that the command writes these`,
      document.place([...at, 'live']),
    );
  }
  body.delete('live');
}

function addTo(body: YAMLMap, key: string, entry: unknown, document: DvcDocument): void {
  const list = document.list(body.get(key, true));
  if (list === undefined) body.set(key, document.node([entry]));
  else list.items.push(document.node(entry));
}

/** Params files that are Python become dependencies: a change of any line then counts. */
function translateParams(body: YAMLMap, { document, report, stage, at }: ListContext): void {
  const list = document.list(body.get('params', true));
  if (list === undefined) return;
  for (let i = list.items.length - 1; i >= 0; i--) {
    const map = document.map(list.items[i]);
    if (map === undefined) continue;
    for (const [file, keys] of document.entries(map)) {
      const place = document.place([...at, 'params', i]);
      const value = document.valueOf(keys);
      if (/\.py$/.test(file)) {
        map.delete(file);
        addTo(body, 'deps', file, document);
        report.leave(
          `${stage}: ${file} became a dependency, because repro reads params from YAML, JSON and TOML`,
          place,
        );
      } else if (typeof value === 'string') map.set(file, document.node([value]));
      else if (Array.isArray(value) && value.length === 0) map.set(file, document.node(null));
    }
    if (map.items.length === 0) list.items.splice(i, 1);
  }
  if (list.items.length === 0) body.delete('params');
}
