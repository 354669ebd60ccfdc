/** Reads a params file for a stage program and checks it. */
import { checkAgainstSchema, type Json, readDocument, readSchema, type SourceDocument } from '../documents/index.ts';
import { onlyListed } from './listed-params.ts';

/** Options of readParams. */
export interface ReadParamsOptions {
  /** The path of a JSON Schema file to check the params against. */
  schema?: string;
}

/**
 * Reads a YAML or JSON file.
 *
 * @param file its path, as pipeline.yaml writes it
 * @returns the value of the file. Under repro, reading a param from it that the stage does not list throws ReproError
 * @throws ReproError with file:line:column, the key and what would be right, if the file cannot be read, is not valid
 *   YAML or does not match the schema
 * @example const { train } = await readParams('params.yaml', { schema: 'params.schema.json' });
 */
// biome-ignore lint/suspicious/noExplicitAny: the type of the value is given by the schema
export async function readParams(file: string, options: ReadParamsOptions = {}): Promise<any> {
  const document: SourceDocument = await readDocument(file);
  if (options.schema !== undefined) {
    await checkAgainstSchema(document, readSchema(options.schema), options.schema);
  }
  return onlyListed(document.value as Json, file);
}
