/** The documents of the tokenizer benchmarks: the files of ../shared/corpus as ABC. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MusicError, midiToAbc } from '../../lib/music/index.ts';

const CORPUS = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));

/** The ABC of all MIDI files of the corpus that can be converted. */
export function corpusDocuments(): Buffer[] {
  if (!existsSync(CORPUS)) throw new Error(`${CORPUS} is missing: this benchmark needs its files`);
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

/** Repeats all documents until they have at least this many bytes. */
export function repeated(documents: Buffer[], bytes: number): Buffer[] {
  const all: Buffer[] = [];
  const once = documents.reduce((sum, document) => sum + document.length, 0);
  for (let size = 0; size < bytes; size += once) all.push(...documents);
  return all;
}
