/** Finds where a stage is defined, for error messages. */
import { type FileSource, type KeyPath, readDocumentFrom } from '../documents/index.ts';
import type { Place } from '../messages/index.ts';
import { PIPELINE, type Stage } from './pipeline.ts';

/**
 * The place of something in the definition of a stage: in pipeline.yaml, or in the included file that defines the stage.
 *
 * @param path keys below the definition
 */
export async function placeInStage(files: FileSource, stage: Stage, path: KeyPath = []): Promise<Place> {
  return (await readDocumentFrom(files, stage.file ?? PIPELINE)).at([...stage.source, ...path]);
}
