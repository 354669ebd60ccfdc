/**
 * Reads pipeline.yaml: parses it, checks it against its schema, fills in templates, expands matrix and foreach, and
 * normalises paths. The result is plain data. Of the project's other files only the vars files are read.
 *
 *   text → document → schema → context of vars → definitions → cells → Stage[]
 */

import {
  type FileSource,
  findNul,
  type Json,
  type KeyPath,
  readDocumentFrom,
  rounded,
  type SourceDocument,
} from '../documents/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { checkPipeline } from './check-pipeline.ts';
import { type Cell, foreachCells, matrixCells } from './matrix.ts';
import { faultOfCell, faultOfName } from './names.ts';
import { contains, isOutside, normalise } from './paths.ts';
import { PARAMS, PIPELINE, type Pipeline, type Stage } from './pipeline.ts';
import { readPresets } from './presets.ts';
import { StageReader, withPlace } from './stage-reader.ts';
import { StageVars } from './stage-vars.ts';
import { type Context, fillIn } from './template.ts';
import { VarsReader } from './vars.ts';

/** Runs a schema check, or skips it if the caller remembers that this content is valid, which saves loading ajv. */
export type CheckedOnce = (document: SourceDocument, schema: object, check: () => Promise<void>) => Promise<void>;

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
  const document = await readDocumentFrom(files, PIPELINE);
  if (document.value === null || document.value === undefined)
    throw new ReproError({ message: 'is empty; it needs a mapping of `stages`', place: { file: PIPELINE } });
  const nul = findNul(document.value as Json);
  if (nul !== undefined)
    throw new ReproError({
      message: 'has a NUL character, which no command, path or name can hold',
      place: document.at(nul.path, nul.part),
    });
  const { default: schema } = await import('./pipeline.schema.json', { with: { type: 'json' } });
  await checkedOnce(document, schema, () => checkPipeline(document));
  const top = document.value as { [key: string]: Json } & { stages: { [name: string]: { [key: string]: Json } } };

  const schemas = Object.fromEntries(
    Object.entries((top.schemas ?? {}) as { [file: string]: string }).map(([file, name]) => [
      normalise(root, '.', file),
      normalise(root, '.', name),
    ]),
  );
  await checkSettings(schemas);

  const sources = [PIPELINE];
  const vars = new VarsReader(root, files, sources);
  const context: Record<string, Json> = {};
  if ((await files.read(PARAMS)) !== undefined) await vars.merge(context, PARAMS);
  else sources.push(PARAMS);
  sources.push(...Object.values((top.presets ?? {}) as { [key: string]: string }));
  const presets = await readPresets(files, top.presets);
  if (presets.length > 0) {
    const params = await readDocumentFrom(files, PARAMS);
    for (const preset of presets) preset.check(params);
  }
  for (const [i, entry] of ((top.vars ?? []) as Json[]).entries()) {
    if (entry === PARAMS) continue;
    await withPlace(document, ['vars', i], () => vars.merge(context, entry));
  }

  const stages: Stage[] = [];
  for (const [group, definition] of Object.entries(top.stages ?? {})) {
    const source: KeyPath = ['stages', group];
    const fault = faultOfName(group);
    if (fault !== undefined)
      throw new ReproError({ message: `the name "${group}" ${fault}`, place: document.at(source) });
    stages.push(...(await expand(document, group, definition, context, vars, root)));
  }
  const limits = rounded(top.limits ?? {}) as Pipeline['limits'];
  checkNames(document, stages);
  checkLimits(document, stages, limits);
  const headline = top.headline === undefined ? undefined : normalise(root, '.', top.headline as string);
  if (headline !== undefined) checkHeadline(document, stages, headline);
  return {
    root,
    stages,
    groups: Object.keys(top.stages ?? {}),
    schemas,
    limits,
    headline,
    sources: [...new Set([...sources, ...Object.keys(schemas), ...Object.values(schemas)])],
  };
}

async function expand(
  document: SourceDocument,
  group: string,
  definition: { [key: string]: Json },
  globals: Context,
  vars: VarsReader,
  root: string,
): Promise<Stage[]> {
  const isForeach = definition.foreach !== undefined;
  const body = (isForeach ? definition.do : definition) as { [key: string]: Json };
  const source: KeyPath = isForeach ? ['stages', group, 'do'] : ['stages', group];
  if (isForeach && body.matrix !== undefined)
    throw new ReproError({
      message: `${group}: a stage has either foreach or matrix; a matrix with one more axis does the same`,
      place: document.at([...source, 'matrix']),
    });
  const cellBy = isForeach ? 'foreach' : body.matrix === undefined ? undefined : 'matrix';
  const stageVars = new StageVars(document, source, body, { vars, root, cellBy });
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
    const name = cell ? `${group}@${cell.name}` : group;
    const outer = cell ? { ...context, item: cell.item, key: cell.key } : context;
    const inner = stageVars.varyByCell ? await stageVars.addTo(outer) : outer;
    const stage = new StageReader(document, source, root, inner).read(name, group, body);
    stages.push(cell ? { ...stage, axes: cell.axes } : stage);
  }
  return stages;
}

function checkNames(document: SourceDocument, stages: readonly Stage[]): void {
  const seen = new Set<string>();
  for (const stage of stages) {
    if (seen.has(stage.name))
      throw new ReproError({ message: `two stages would be named "${stage.name}"`, place: document.at(stage.source) });
    seen.add(stage.name);
    for (const out of stage.outs)
      if (out.path === '.' || isOutside(out.path))
        throw new ReproError({
          message: `${stage.name}: the output "${out.path}" must lie inside the pipeline's folder`,
          place: document.at(stage.source),
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

function checkLimits(document: SourceDocument, stages: readonly Stage[], limits: Pipeline['limits']): void {
  for (const stage of stages)
    for (const name of Object.keys(stage.resources.limits))
      if (!Object.hasOwn(limits, name))
        throw new ReproError({
          message: `unknown resource "${name}"${suggestion(name, ['gpus', 'cpus', 'memory', ...Object.keys(limits)])}; define limits of your own under \`limits\` at the top`,
          place: document.at([...stage.source, 'resources', name]),
        });
}
