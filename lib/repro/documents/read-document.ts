/** Reads YAML, JSON and TOML files. */
import { readUtf8 } from '../freshness/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import type { FileSource } from './file-source.ts';
import { dotted, type SourceDocument } from './source-document.ts';
import { leafPaths, parseYaml } from './yaml-document.ts';

/**
 * Reads a file from disk and parses it by parseSettings.
 *
 * @param name the file's name in messages
 * @throws ReproError if the file cannot be read or is not valid
 */
export async function readDocument(path: string, name = path): Promise<SourceDocument> {
  return parseSettings(readText(path, name), name);
}

/**
 * Reads a file from a source and parses it by parseSettings.
 *
 * @throws ReproError if the file is missing, cannot be read or is not valid
 */
export async function readDocumentFrom(texts: FileSource, file: string): Promise<SourceDocument> {
  const text = await texts.read(file);
  if (text === undefined)
    throw new ReproError({ message: `cannot be read: ${describeError({ code: 'ENOENT' })}`, place: { file } });
  return parseSettings(text, file);
}

/**
 * Reads a text file.
 *
 * @param name the file's name in messages
 * @throws ReproError if the file cannot be read
 */
export function readText(path: string, name = path): string {
  try {
    return readUtf8(path);
  } catch (error) {
    throw new ReproError({ message: `cannot be read: ${describeError(error)}`, place: { file: name } });
  }
}

/**
 * Parses a file whose values go into the lock and are compared with it. Numbers that JSON cannot express (`.inf`,
 * `.nan`) are refused: hashes and memos would store both as null, and a change from one to the other would go
 * unnoticed. So is U+FFFD, which stands in `text` for all bytes that are not UTF-8.
 *
 * @throws ReproError if the text is not valid YAML, or has such a number or character
 */
export async function parseSettings(text: string, file: string): Promise<SourceDocument> {
  refuseNotUtf8(text, file);
  const document = await parseSource(text, file);
  for (const [path, value] of leafPaths(document.value))
    if (typeof value === 'number' && !Number.isFinite(value)) {
      const written = Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
      throw new ReproError({
        message: `must be a finite number, but is ${written}`,
        place: document.at(path, 'value'),
        key: dotted(path),
      });
    }
  return document;
}

function refuseNotUtf8(text: string, file: string): void {
  const at = text.indexOf('\ufffd');
  if (at < 0) return;
  const lines = text.slice(0, at).split('\n');
  throw new ReproError({
    message: 'this character is not UTF-8; save the file as UTF-8, or write "\\uFFFD" for the character U+FFFD',
    place: { file, line: lines.length, column: (lines.at(-1) ?? '').length + 1 },
  });
}

/**
 * Parses a YAML or JSON text, or a TOML text if the file's name ends with `.toml`.
 *
 * @param file the file's name in messages
 * @throws ReproError if the text is not valid, or a value contains itself by an alias
 */
export async function parseSource(text: string, file: string): Promise<SourceDocument> {
  const source = text.replace(/^\uFEFF/, '');
  return /\.toml$/i.test(file) ? (await import('./toml.ts')).parseToml(source, file) : parseYaml(source, file);
}
