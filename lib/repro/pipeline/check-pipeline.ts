/** Checks pipeline.yaml against its schema, lib/repro/pipeline/pipeline.schema.json. */
import { checkWith, type SourceDocument } from '../documents/index.ts';

/** Throws ReproError with every problem found. */
export async function checkPipeline(document: SourceDocument): Promise<void> {
  checkWith(document, (await import('./pipeline-validator.ts')).validate);
}
