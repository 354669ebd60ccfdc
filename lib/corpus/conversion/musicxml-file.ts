/**
 * Reads the text of a MusicXML file: a plain one, or a compressed one (.mxl), which is a zip archive. The first bytes
 * say which it is, since names may be wrong.
 *
 * @see MusicXML 4.0, compressed MXL files: META-INF/container.xml names the score
 */
import { readFileSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { SaxesParser } from 'saxes';
import { readZip, type ZipEntry } from '../archives/index.ts';
import { CorpusError } from '../errors.ts';

/** Scores of an orchestra have a tenth of this. */
const MAX_SCORE_BYTES = 32 * 2 ** 20;
const MAX_CONTAINER_BYTES = 2 ** 20;
/** A .mxl holds a score, pictures and sounds. */
const MAX_ENTRIES = 10_000;
const CONTAINER = 'META-INF/container.xml';
const SCORE_NAME = /\.(?:musicxml|xml)$/i;

/**
 * Reads the text of a score.
 *
 * @throws CorpusError if the file is too large, a damaged archive or one without a score, or in an unknown encoding
 */
export async function readMusicXmlFile(path: string): Promise<string> {
  const { size } = statSync(path);
  if (size > MAX_SCORE_BYTES) throw tooLarge(MAX_SCORE_BYTES);
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return decodeXml(buffer.toString('latin1') === 'PK' ? await scoreOf(file) : readFileSync(path));
  } finally {
    await file.close();
  }
}

/** The bytes of the score in a compressed file: the one that the container names, or else the first. */
async function scoreOf(file: FileHandle): Promise<Uint8Array> {
  const entries = new Map<string, ZipEntry>();
  for await (const entry of readZip(file)) {
    if (entries.size >= MAX_ENTRIES) throw new CorpusError(`is an archive of more than ${MAX_ENTRIES} files`);
    if (entry.kind === 'file' && !entries.has(entry.path)) entries.set(entry.path, entry);
  }
  const container = entries.get(CONTAINER);
  const named = container && scoreNamedIn(decodeXml(await contentOf(container, MAX_CONTAINER_BYTES)));
  const first = [...entries.keys()].find((path) => SCORE_NAME.test(path) && !path.startsWith('META-INF/'));
  const score = entries.get(named ?? '') ?? entries.get(first ?? '');
  if (score === undefined) throw new CorpusError('is an archive without a MusicXML score');
  return contentOf(score, MAX_SCORE_BYTES);
}

/** The path of the first root file that a container names; undefined if it names none. */
function scoreNamedIn(container: string): string | undefined {
  let path: string | undefined;
  const parser = new SaxesParser();
  // Errors in the container do not matter if the archive has a score.
  parser.on('error', () => {});
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'rootfile') path ??= String(attributes['full-path'] ?? '');
  });
  parser.write(container).close();
  return path;
}

/** The content of an entry, up to a limit: the archive may be built to fill the memory. */
async function contentOf(entry: ZipEntry, limit: number): Promise<Buffer> {
  if (entry.unreadable !== undefined) throw new CorpusError(`${entry.path} in it ${entry.unreadable}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of entry.content()) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number): CorpusError {
  return new CorpusError(`has a text of more than ${limit} bytes, the limit for MusicXML`);
}

/**
 * Decodes XML: UTF-16 with a byte order mark, or the encoding that the document declares, or UTF-8.
 *
 * @throws CorpusError if the declared encoding is unknown
 */
export function decodeXml(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  if (start.startsWith('\xff\xfe') || start.startsWith('<\0')) return new TextDecoder('utf-16le').decode(bytes);
  if (start.startsWith('\xfe\xff') || start.startsWith('\0<')) return new TextDecoder('utf-16be').decode(bytes);
  const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']/.exec(start)?.[1] ?? 'utf-8';
  // A document that says so in single bytes is not in UTF-16.
  const encoding = /^utf-?16/i.test(declared) ? 'utf-8' : declared;
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    throw new CorpusError(`is in the encoding "${declared}", which is unknown`);
  }
}
