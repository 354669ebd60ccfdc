/**
 * One file of a pipeline: pipeline.yaml, or a file that it includes. It is parsed and checked against the schema here.
 *
 * An included file has its own params.yaml and vars. Its paths are relative to its folder, and the names of its stages
 * begin with that folder: the stage `train` of vision/stages.yaml is `vision/train`.
 */
import { posix } from 'node:path';
import { type FileSource, findNul, type Json, readDocumentFrom, type SourceDocument } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { checkPipeline } from './check-pipeline.ts';
import { isOutside, normalise } from './paths.ts';
import { PIPELINE } from './pipeline.ts';

/** Runs a schema check, or skips it if the caller remembers that this content is valid, which saves loading ajv. */
export type CheckedOnce = (document: SourceDocument, schema: object, check: () => Promise<void>) => Promise<void>;

/** A file with stages. */
export interface PipelinePart {
  /** Its path, relative to the pipeline's folder. */
  file: string;
  /** Its folder, normalised. */
  folder: string;
  /** The prefix of the names of its stages: empty, or a folder with a slash. */
  prefix: string;
  document: SourceDocument;
  top: { [key: string]: Json };
}

/** Keys that only pipeline.yaml itself may have, because they apply to the whole pipeline. */
const WHOLE_PIPELINE = ['include', 'schemas', 'presets', 'limits', 'headline'];

/**
 * Reads pipeline.yaml and then the files that it includes.
 *
 * @throws ReproError if one of them is missing or not valid, with the place
 */
export async function readParts(
  root: string,
  files: FileSource,
  checkedOnce: CheckedOnce,
): Promise<[PipelinePart, ...PipelinePart[]]> {
  const main = await readPart(files, PIPELINE, checkedOnce);
  if (main.top.stages === undefined && main.top.include === undefined)
    throw new ReproError({ message: 'the key "stages" is missing', place: main.document.at([]), key: 'stages' });
  const included: PipelinePart[] = [];
  for (const [i, name] of ((main.top.include ?? []) as string[]).entries()) {
    const file = normalise(root, '.', name);
    const place = main.document.at(['include', i], 'value');
    const fault = faultOfInclude(file, included);
    if (fault !== undefined) throw new ReproError({ message: `"${name}" ${fault}`, place });
    if ((await files.read(file)) === undefined)
      throw new ReproError({ message: `there is no file "${file}" to include`, place });
    const part = await readPart(files, file, checkedOnce);
    const misplaced = WHOLE_PIPELINE.find((key) => part.top[key] !== undefined);
    if (misplaced !== undefined)
      throw new ReproError({
        message: `"${misplaced}" is about the whole pipeline, so it belongs into ${PIPELINE}, which includes this file`,
        place: part.document.at([misplaced]),
      });
    included.push(part);
  }
  return [main, ...included];
}

/** Why a file cannot be included; undefined if it can. */
function faultOfInclude(file: string, included: readonly PipelinePart[]): string | undefined {
  if (isOutside(file)) return "lies outside of the pipeline's folder, so it cannot be included";
  if (posix.basename(file) === PIPELINE)
    return `cannot be included: a folder with a ${PIPELINE} is a pipeline of its own, with its own lock; give the file another name, such as stages.yaml`;
  if (included.some((part) => part.file === file)) return 'is included twice; keep one';
  return undefined;
}

async function readPart(files: FileSource, file: string, checkedOnce: CheckedOnce): Promise<PipelinePart> {
  const document = await readDocumentFrom(files, file);
  if (document.value === null || document.value === undefined)
    throw new ReproError({ message: 'is empty; it needs a mapping of `stages`', place: { file } });
  const nul = findNul(document.value as Json);
  if (nul !== undefined)
    throw new ReproError({
      message: 'has a NUL character, which no command, path or name can hold',
      place: document.at(nul.path, nul.part),
    });
  const { default: schema } = await import('./pipeline.schema.json', { with: { type: 'json' } });
  await checkedOnce(document, schema, () => checkPipeline(document));
  const folder = posix.dirname(file);
  const prefix = folder === '.' ? '' : `${folder}/`;
  return { file, folder, prefix, document, top: document.value as { [key: string]: Json } };
}
