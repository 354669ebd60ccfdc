/**
 * The lists `metrics`, `plots` and `params` at the top of pipeline.yaml: files that `repro metrics`, `repro plots` and
 * `repro params` read besides those that stages list. A metrics file or plot is an output of a stage, or lies in one.
 */
import { isMapping, type Json, type KeyPath, rounded, show } from '../documents/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { contains, normalise } from './paths.ts';
import type { Output, Stage } from './pipeline.ts';
import type { PipelinePart } from './pipeline-part.ts';
import { withPlace } from './stage-reader.ts';
import { type Context, fillIn } from './template.ts';

const KINDS = { metrics: 'metric', plots: 'plot' } as const;

/**
 * Gives each listed metrics file and plot to the stage that makes it.
 *
 * @returns the stages, with `results` where files were listed
 * @throws ReproError if no stage makes a file: then no run would keep it up to date
 */
export async function withListedResults(
  stages: readonly Stage[],
  part: PipelinePart,
  context: Context,
  root: string,
): Promise<Stage[]> {
  const byStage = new Map<string, Output[]>();
  for (const list of ['metrics', 'plots'] as const)
    for (const [i, entry] of ((part.top[list] ?? []) as Json[]).entries()) {
      const at: KeyPath = [list, i];
      const filled = await withPlace(part.document, at, () => fillIn(entry, context));
      const named = isMapping(filled) ? Object.entries(filled) : [[String(filled), null] as const];
      for (const [name, options] of named) {
        const path = normalise(root, part.folder, name);
        const maker = stages.find(({ outs }) => outs.some((out) => contains(out.path, path)));
        if (maker === undefined)
          throw new ReproError({
            message: `no stage makes "${path}"${suggestion(
              path,
              stages.flatMap(({ outs }) => outs.map((out) => out.path)),
            )}; name a file or folder that is an output, or lies in one`,
            place: part.document.at(at, 'value'),
          });
        const result: Output = { path, kind: KINDS[list], cache: true, persist: false };
        if (isMapping(options)) result.options = rounded(options) as NonNullable<Output['options']>;
        byStage.set(maker.name, [...(byStage.get(maker.name) ?? []), result]);
      }
    }
  return stages.map((stage) => {
    const results = byStage.get(stage.name);
    return results === undefined ? stage : { ...stage, results: [...(stage.results ?? []), ...results] };
  });
}

/**
 * The params files that a part lists at its top.
 *
 * @returns their paths, normalised, relative to `root`
 * @throws ReproError with the place if an entry is not a text
 */
export async function listedParamsFiles(part: PipelinePart, context: Context, root: string): Promise<string[]> {
  const names: string[] = [];
  for (const [i, entry] of ((part.top.params ?? []) as Json[]).entries()) {
    const name = await withPlace(part.document, ['params', i], () => fillIn(entry, context));
    if (typeof name !== 'string')
      throw new ReproError({
        message: `must be the path of a file, but is ${show(name)}`,
        place: part.document.at(['params', i], 'value'),
      });
    names.push(normalise(root, part.folder, name));
  }
  return names;
}

/** The outputs of a stage that are metrics or plots, and the files in its outputs that the lists at the top name. */
export function resultsOf(stage: Stage, kind: 'metric' | 'plot'): Output[] {
  const listed = (stage.results ?? []).filter((result) => result.kind === kind);
  const own = stage.outs.filter((out) => out.kind === kind && !listed.some(({ path }) => path === out.path));
  return [...own, ...listed];
}
