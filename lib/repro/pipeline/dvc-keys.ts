/**
 * Keys of dvc.yaml that pipeline.yaml may have without any effect, so that a file that was copied from a DVC project
 * works. A note names them.
 */
import { isMapping, type Json, type KeyPath } from '../documents/index.ts';
import { listNames } from '../messages/index.ts';
import type { PipelinePart } from './pipeline-part.ts';

const AT_TOP = ['artifacts', 'datasets'];
const OF_STAGE = ['meta'];
const OF_OUTPUT = ['type', 'labels', 'meta', 'remote', 'push', 'template', 'header'];

/**
 * A sentence about the keys that have no effect.
 *
 * @returns undefined if there are none
 */
export function unusedDvcKeys(parts: readonly PipelinePart[]): string | undefined {
  const found = parts.flatMap((part) => pathsIn(part.top).map((path) => ({ part, path })));
  if (found.length === 0) return undefined;
  const [{ part, path }] = found;
  const { file, line } = part.document.at(path);
  const names = [...new Set(found.map((each) => String(each.path.at(-1))))];
  const kind = names.length === 1 ? 'a key of DVC that has' : 'keys of DVC that have';
  return `${file}:${line}: ${listNames(names)}: ${kind} no effect here`;
}

function pathsIn(top: { readonly [key: string]: Json }): KeyPath[] {
  const paths: KeyPath[] = AT_TOP.filter((key) => top[key] !== undefined).map((key) => [key]);
  for (const list of ['metrics', 'plots']) paths.push(...inOutputs(top[list], [list]));
  for (const [name, definition] of Object.entries(isMapping(top.stages) ? top.stages : {})) {
    if (!isMapping(definition)) continue;
    const body = isMapping(definition.do) ? definition.do : definition;
    const at: KeyPath = body === definition ? ['stages', name] : ['stages', name, 'do'];
    paths.push(...OF_STAGE.filter((key) => body[key] !== undefined).map((key) => [...at, key]));
    for (const list of ['outs', 'metrics', 'plots']) paths.push(...inOutputs(body[list], [...at, list]));
  }
  return paths;
}

function inOutputs(list: Json | undefined, at: KeyPath): KeyPath[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry, i) =>
    Object.entries(isMapping(entry) ? entry : {}).flatMap(([path, options]) =>
      isMapping(options)
        ? OF_OUTPUT.filter((key) => options[key] !== undefined).map((key) => [...at, i, path, key])
        : [],
    ),
  );
}
