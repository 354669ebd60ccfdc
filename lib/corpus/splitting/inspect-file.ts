/** Reads one ABC file and says what filters, deduplication and splitting have to know of it: the task that split.ts runs on each. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { abcToScore, fingerprint, shapeOf } from '../../music/index.ts';

export interface InspectedTune {
  characters: number;
  /** of UTF-8 */
  bytes: number;
  /** every character that occurs, once, in order */
  alphabet: string;
  bars: number;
  notes: number;
  voices: number;
  /** bars in which nothing sounds */
  emptyBars: number;
  /** of these, those before the first note */
  leadingEmptyBars: number;
  /** compressed size by size: low where a tune repeats itself */
  gzipRatio: number;
  /** of the text */
  contentHash: string;
  /** the same for transpositions and near-copies of one tune */
  fingerprint: string;
}

/** Throws where the text is no music that can be read. */
export default async function inspectFile(path: string): Promise<InspectedTune> {
  const abc = await readFile(path, 'utf8');
  const score = abcToScore(abc);
  const { bars, notes, voices, emptyBars, leadingEmptyBars } = shapeOf(score);
  const bytes = Buffer.from(abc);
  return {
    characters: abc.length,
    bytes: bytes.length,
    alphabet: [...new Set(abc)].sort().join(''),
    bars,
    notes,
    voices,
    emptyBars,
    leadingEmptyBars,
    gzipRatio: gzipSync(bytes).length / Math.max(1, bytes.length),
    contentHash: createHash('sha256').update(bytes).digest('hex'),
    fingerprint: fingerprint(score),
  };
}
