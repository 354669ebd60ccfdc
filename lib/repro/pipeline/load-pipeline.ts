/**
 * Reads pipeline.yaml and the files that it includes: parses them, checks them against the schema, fills in templates,
 * expands matrix and foreach, and normalises paths. The result is plain data. Of the project's other files only the
 * vars files are read.
 *
 *   text → document → schema → context of vars → definitions → cells → Stage[]
 */

import { posix } from 'node:path';
import {
  type FileSource,
  type Json,
  type KeyPath,
  readDocumentFrom,
  rounded,
  type SourceDocument,
} from '../documents/index.ts';
import { type Place, ReproError, suggestion } from '../messages/index.ts';
import { unusedDvcKeys } from './dvc-keys.ts';
import { listedParamsFiles, withListedResults } from './listed-results.ts';
import { type Cell, foreachCells, matrixCells } from './matrix.ts';
import { faultOfCell, faultOfName } from './names.ts';
import { contains, isOutside, normalise } from './paths.ts';
import { PARAMS, PIPELINE, type Pipeline, type Stage } from './pipeline.ts';
import { type CheckedOnce, type PipelinePart, readParts } from './pipeline-part.ts';
import { readPresets } from './presets.ts';
import { StageReader, withPlace } from './stage-reader.ts';
import { StageVars } from './stage-vars.ts';
import { type Context, fillIn } from './template.ts';
import { VarsReader } from './vars.ts';

/**
 * Reads the pipeline.
 *
 * @param root folder that paths are relative to; all text is read from `files`
 * @param checkSettings checks params files against their schemas. It is called before templates are filled in, so that
 *   a wrong value is reported itself, and not through an error that it causes in the pipeline
 * @throws ReproError if pipeline.yaml or a vars file is not valid, with the place
 */
export async function loadPipeline(
  root: string,
  files: FileSource,
  checkedOnce: CheckedOnce,
  checkSettings: (schemas: Pipeline['schemas']) => Promise<void> = async () => {},
): Promise<Pipeline> {
  const parts = await readParts(root, files, checkedOnce);
  const [{ document, top }] = parts;

  const schemas = Object.fromEntries(
    Object.entries((top.schemas ?? {}) as { [file: string]: string }).map(([file, name]) => [
      normalise(root, '.', file),
      normalise(root, '.', name),
    ]),
  );
  await checkSettings(schemas);

  const sources: string[] = [...parts.map(({ file }) => file)];
  sources.push(...Object.values((top.presets ?? {}) as { [key: string]: string }));
  const presets = await readPresets(files, top.presets);
  if (presets.length > 0) {
    const params = await readDocumentFrom(files, PARAMS);
    for (const preset of presets) preset.check(params);
  }
  const vars = new VarsReader(root, files, sources);
  const contexts = new Map<PipelinePart, Context>();
  let stages: Stage[] = [];
  for (const part of parts) {
    const context = await contextOf(part, files, vars, sources);
    contexts.set(part, context);
    for (const [group, definition] of Object.entries((part.top.stages ?? {}) as Definitions)) {
      const fault = faultOfName(group);
      if (fault !== undefined)
        throw new ReproError({
          message: `the name "${group}" ${fault}`,
          place: part.document.at(['stages', group]),
        });
      stages.push(...(await expand(part, group, definition, context, vars, root)));
    }
  }
  const limits = rounded(top.limits ?? {}) as Pipeline['limits'];
  checkNames(parts, stages);
  checkLimits(parts, stages, limits);
  const paramsFiles: string[] = [];
  for (const [part, context] of contexts) {
    stages = await withListedResults(stages, part, context, root);
    paramsFiles.push(...(await listedParamsFiles(part, context, root)));
  }
  const headline = top.headline === undefined ? undefined : normalise(root, '.', top.headline as string);
  if (headline !== undefined) checkHeadline(document, stages, headline);
  const note = unusedDvcKeys(parts);
  return {
    root,
    stages,
    groups: parts.flatMap(({ top, prefix }) =>
      Object.keys((top.stages ?? {}) as Definitions).map((name) => prefix + name),
    ),
    schemas,
    limits,
    headline,
    ...(paramsFiles.length > 0 ? { paramsFiles } : {}),
    ...(note === undefined ? {} : { note }),
    sources: [...new Set([...sources, ...Object.keys(schemas), ...Object.values(schemas)])],
  };
}

/** Definitions of stages by name. */
type Definitions = { readonly [name: string]: { [key: string]: Json } };

/** The values for the templates of a part: those of the params.yaml in its folder, and its vars. */
async function contextOf(
  { document, top, folder }: PipelinePart,
  files: FileSource,
  vars: VarsReader,
  sources: string[],
): Promise<Context> {
  const context: Record<string, Json> = {};
  const params = posix.join(folder, PARAMS);
  if ((await files.read(params)) !== undefined) await vars.merge(context, params);
  else sources.push(params);
  for (const [i, entry] of ((top.vars ?? []) as Json[]).entries()) {
    if (entry === PARAMS) continue;
    await withPlace(document, ['vars', i], () => vars.merge(context, entry, folder));
  }
  return context;
}

async function expand(
  part: PipelinePart,
  group: string,
  definition: { [key: string]: Json },
  globals: Context,
  vars: VarsReader,
  root: string,
): Promise<Stage[]> {
  const { document, folder, prefix } = part;
  const isForeach = definition.foreach !== undefined;
  const body = (isForeach ? definition.do : definition) as { [key: string]: Json };
  const source: KeyPath = isForeach ? ['stages', group, 'do'] : ['stages', group];
  if (isForeach && body.matrix !== undefined)
    throw new ReproError({
      message: `${group}: a stage has either foreach or matrix; a matrix with one more axis does the same`,
      place: document.at([...source, 'matrix']),
    });
  const cellBy = isForeach ? 'foreach' : body.matrix === undefined ? undefined : 'matrix';
  const stageVars = new StageVars(document, source, body, { vars, root, folder, cellBy });
  const context = stageVars.varyByCell ? globals : await stageVars.addTo(globals);

  let cells: (Cell | undefined)[] = [undefined];
  if (isForeach) {
    const path: KeyPath = ['stages', group, 'foreach'];
    cells = await withPlace(document, path, () => foreachCells(fillIn(definition.foreach, context)));
  } else if (body.matrix !== undefined) {
    const path: KeyPath = ['stages', group, 'matrix'];
    cells = await withPlace(document, path, () =>
      matrixCells(fillIn(body.matrix, context) as { readonly [axis: string]: Json }),
    );
  }
  const stages: Stage[] = [];
  for (const cell of cells) {
    const fault = cell && faultOfCell(cell.name);
    if (fault)
      throw new ReproError({
        message: `the name of the cell "${cell.name}" ${fault}`,
        place: document.at(['stages', group, cellBy!], 'value'),
      });
    const name = `${prefix}${group}${cell ? `@${cell.name}` : ''}`;
    const outer = cell ? { ...context, item: cell.item, key: cell.key } : context;
    const inner = stageVars.varyByCell ? await stageVars.addTo(outer) : outer;
    const stage = new StageReader(document, source, root, inner, folder).read(name, `${prefix}${group}`, body);
    stages.push({
      ...stage,
      ...(cell ? { axes: cell.axes } : {}),
      ...(part.file === PIPELINE ? {} : { file: part.file }),
    });
  }
  return stages;
}

/** The place of something in the definition of a stage. */
function placeOf(parts: readonly PipelinePart[], stage: Stage, path: KeyPath = []): Place {
  const part = parts.find(({ file }) => file === (stage.file ?? PIPELINE))!;
  return part.document.at([...stage.source, ...path]);
}

function checkNames(parts: readonly PipelinePart[], stages: readonly Stage[]): void {
  const seen = new Set<string>();
  for (const stage of stages) {
    if (seen.has(stage.name))
      throw new ReproError({ message: `two stages would be named "${stage.name}"`, place: placeOf(parts, stage) });
    seen.add(stage.name);
    for (const out of stage.outs)
      if (out.path === '.' || isOutside(out.path))
        throw new ReproError({
          message: `${stage.name}: the output "${out.path}" must lie inside the pipeline's folder`,
          place: placeOf(parts, stage),
        });
  }
}

/** @throws ReproError if no stage makes the headline: then no run would keep it up to date */
function checkHeadline(document: SourceDocument, stages: readonly Stage[], headline: string): void {
  const outs = stages.flatMap((stage) => stage.outs.map(({ path }) => path));
  if (!outs.some((path) => contains(path, headline)))
    throw new ReproError({
      message: `no stage makes the headline "${headline}"${suggestion(headline, outs)}; name a file that is an output, or lies in one`,
      place: document.at(['headline']),
    });
}

function checkLimits(parts: readonly PipelinePart[], stages: readonly Stage[], limits: Pipeline['limits']): void {
  for (const stage of stages)
    for (const name of Object.keys(stage.resources.limits))
      if (!Object.hasOwn(limits, name))
        throw new ReproError({
          message: `unknown resource "${name}"${suggestion(name, ['gpus', 'cpus', 'memory', ...Object.keys(limits)])}; define limits of your own under \`limits\` at the top`,
          place: placeOf(parts, stage, ['resources', name]),
        });
}
