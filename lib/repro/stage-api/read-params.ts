/** Reads a params file for a stage program and checks it. */
import { appendFileSync, existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import {
  checkAgainstSchema,
  type Json,
  type KeyPath,
  keyPath,
  leaves,
  numberOf,
  readDocument,
  readDocumentFrom,
  readSchema,
  rounded,
  type SourceDocument,
} from '../documents/index.ts';
import { readUtf8 } from '../freshness/index.ts';
import { ReproError } from '../messages/index.ts';
import { isListed, listedKeys, onlyListed, PARAMS_FOLDER, PARAMS_READ } from './listed-params.ts';

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
  const document = await readCopyOrFile(file);
  if (options.schema !== undefined) {
    await checkAgainstSchema(document, readSchema(options.schema), options.schema);
  }
  refuseLargeIntegers(document, listedKeys(file));
  return onlyListed(rounded(document.value as Json), file);
}

/**
 * Under repro, reads the copy of a listed file, which an edit during the run does not touch. A line in another file
 * shows repro that the program has not read the file itself.
 */
async function readCopyOrFile(file: string): Promise<SourceDocument> {
  const folder = process.env[PARAMS_FOLDER];
  const path = folder === undefined || isAbsolute(file) ? undefined : join(folder, file);
  if (path === undefined || !existsSync(path) || !isListed(file)) return readDocument(file);
  const text = readUtf8(path);
  try {
    appendFileSync(process.env[PARAMS_READ] ?? '', `${file}\n`);
  } catch {} // Without the line, repro assumes that the program read the file itself.
  return readDocumentFrom({ read: async () => text }, file);
}

/**
 * Refuses integers that a `number` cannot hold, because the program would compute with another one.
 *
 * @param keys the listed keys; others are not read. Undefined for all
 */
function refuseLargeIntegers({ value, at }: SourceDocument, keys: readonly string[] | undefined): void {
  for (const [key, leaf] of leaves(value as Json)) {
    if (typeof numberOf(leaf) !== 'bigint') continue;
    const isRead =
      keys === undefined ||
      keys.some((listed) => listed === key || (/^[.[]/.test(key.slice(listed.length)) && key.startsWith(listed)));
    if (isRead)
      throw new ReproError({
        message: `${key} is ${leaf}, which JavaScript would round to ${Number(leaf)}; write it in quotes, so that it is read as a text, or use at most 2^53`,
        place: at(keyPath(value as Json, key) as KeyPath, 'value'),
        key,
      });
  }
}
