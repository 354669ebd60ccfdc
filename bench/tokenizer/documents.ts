/** What the benches of tokenizers run on: the files of ../shared/corpus as ABC. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MusicError, midiToAbc } from '../../lib/music/index.ts';

const CORPUS = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));

/** ABC of all files that are MIDI. */
export function corpusDocuments(): Buffer[] {
  if (!existsSync(CORPUS)) throw new Error(`${CORPUS} is missing: this bench is about its files`);
  const documents: Buffer[] = [];
  for (const path of (readdirSync(CORPUS, { recursive: true }) as string[]).filter((p) => p.endsWith('.mid')).sort()) {
    try {
      documents.push(Buffer.from(midiToAbc(readFileSync(join(CORPUS, path))).abc));
    } catch (error) {
      if (!(error instanceof MusicError)) throw error;
    }
  }
  return documents;
}

/** The same again and again, until there are so many bytes. */
export function repeated(documents: Buffer[], bytes: number): Buffer[] {
  const all: Buffer[] = [];
  const once = documents.reduce((sum, document) => sum + document.length, 0);
  for (let size = 0; size < bytes; size += once) all.push(...documents);
  return all;
}
