/** Checks pipeline.yaml against its schema, lib/repro/pipeline/pipeline.schema.json. */
import { checkWith, type SourceDocument } from '../documents/index.ts';

/** @throws ReproError with every problem found, each with its place */
export async function checkPipeline(document: SourceDocument): Promise<void> {
  checkWith(document, (await import('./pipeline-validator.ts')).validate);
}
