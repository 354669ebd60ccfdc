/** Lists of paths in dvc.yaml, with and without options: deps, outs, metrics and plots of a stage. */
import type { YAMLMap, YAMLSeq } from 'yaml';
import { canonical, isMapping, type Json, type KeyPath } from '../documents/index.ts';
import type { DvcDocument } from './dvc-document.ts';
import type { Report } from './report.ts';

/** The arguments that every function needs which changes a list and reports about it. */
export interface ListContext {
  document: DvcDocument;
  report: Report;
  /** The name of the stage, for messages. */
  stage: string;
  /** The path of the definition in the file. */
  at: KeyPath;
}

/** A path that only DVC can reach: s3://bucket/x, remote://name/x. */
const URL = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Drops URLs and repeated entries from a list of a stage, and translates options that DVC has and repro does not. */
export function translateList(body: YAMLMap, key: 'deps' | 'outs' | 'metrics' | 'plots', context: ListContext): void {
  const { document } = context;
  const list = document.list(body.get(key, true));
  if (list === undefined) return;
  dropUrls(list, key, context);
  for (const [i, item] of key === 'deps' ? [] : list.items.entries()) {
    const entries = document.entries(document.map(item));
    for (const [path, options] of entries)
      translateOptions(path, document.map(options), [...context.at, key, i, path], context);
    const [[path, options] = []] = entries;
    if (entries.length === 1 && document.map(options)?.items.length === 0) list.items[i] = document.node(path);
  }
  dropRepeated(list, key, context);
  if (list.items.length === 0) body.delete(key);
}

function dropUrls(list: YAMLSeq, key: string, { document, report, stage, at }: ListContext): void {
  for (let i = list.items.length - 1; i >= 0; i--) {
    const [path] = pathsOf(document, list.items[i]);
    if (path === undefined || !URL.test(path)) continue;
    report.leave(
      `${stage}: ${path} is not a file of this machine, so ${key} does not list it; ${
        key === 'deps' ? 'add a stage that downloads it' : 'let the command write a file, or a stage upload it'
      }`,
      document.place([...at, key, i]),
    );
    list.items.splice(i, 1);
  }
}

function translateOptions(
  path: string,
  options: YAMLMap | undefined,
  place: KeyPath,
  { document, report, stage }: ListContext,
): void {
  if (options === undefined) return;
  if (document.valueOf(options.get('checkpoint', true)) === true) {
    options.delete('checkpoint');
    options.set('persist', true);
    report.leave(
      `${stage}: checkpoint: true of ${path} became persist: true, so the command still finds it; if only interrupted attempts need it, use the stage's key "checkpoint"`,
      document.place(place),
    );
  }
  if (document.valueOf(options.get('push', true)) === false)
    report.leave(`${stage}: push: false of ${path} has no effect: \`repro push\` copies it`, document.place(place));
  if (document.valueOf(options.get('header', true)) === false)
    report.leave(
      `${stage}: header: false of ${path} has no effect: the first line of a table names its columns`,
      document.place(place),
    );
  for (const gone of ['header', 'remote', 'template', 'push'])
    if (options.has(gone)) {
      if (gone !== 'header' && gone !== 'push')
        report.drop(`${stage}: "${gone}" of an output: repro has no such option`, document.place([...place, gone]));
      options.delete(gone);
    }
  for (const axis of ['x', 'y'])
    if (isMapping(document.valueOf(options.get(axis, true)))) {
      report.leave(
        `${stage}: the ${axis} of ${path} names columns of other files; write a column of ${path}`,
        document.place([...place, axis]),
      );
      options.delete(axis);
    }
}

/** DVC itself refuses a path that is listed twice; older files have it. */
function dropRepeated(list: YAMLSeq, key: string, { document, report, stage, at }: ListContext): void {
  const seen = new Map<string, Json>();
  for (let i = 0; i < list.items.length; i++) {
    const paths = pathsOf(document, list.items[i]);
    if (paths.length !== 1) continue;
    const value = document.valueOf(list.items[i]);
    const known = seen.get(paths[0]);
    if (known === undefined) seen.set(paths[0], value);
    else {
      const same = canonical(known) === canonical(value);
      const text = `${stage}: ${paths[0]} is listed twice under ${key}`;
      if (same) report.drop(text, document.place([...at, key]));
      else report.leave(`${text}, with different options; the first entry was kept`, document.place([...at, key]));
      list.items.splice(i--, 1);
    }
  }
}

function pathsOf(document: DvcDocument, item: unknown): string[] {
  const map = document.map(item);
  return map === undefined ? [String(document.valueOf(item))] : document.entries(map).map(([path]) => path);
}
