/** Reads a params file for a stage program: YAML in, a checked value out, and an error a person can act on. */
import { checkAgainstSchema, type Json, readDocument, readSchema, type SourceDocument } from '../documents/index.ts';
import { onlyListed } from './listed-params.ts';

export interface ReadParamsOptions {
  /** A JSON Schema file to check against. */
  schema?: string;
}

/**
 * The value of a YAML or JSON file. Throws ReproError with file:line:column, the key and what would be right when it
 * cannot be read, is no YAML, or is not as the schema says. Under repro, reading a param that the stage does not list throws too.
 */
// biome-ignore lint/suspicious/noExplicitAny: the schema, not the type, says what it is
export async function readParams(file: string, options: ReadParamsOptions = {}): Promise<any> {
  const document: SourceDocument = await readDocument(file);
  if (options.schema !== undefined) {
    await checkAgainstSchema(document, readSchema(options.schema), options.schema);
  }
  return onlyListed(document.value as Json, file);
}
