/**
 * The task that split.ts runs on each file: reads one ABC file and computes the figures for filters, duplicates and
 * splits.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { abcToScore, fingerprint, shapeOf, sketchOf } from '../../music/index.ts';
import { CorpusError } from '../errors.ts';

/** A tune with the figures that filters and statistics use. */
export interface InspectedTune {
  /** UTF-16 code units */
  characters: number;
  /** bytes of UTF-8 */
  bytes: number;
  /** every distinct character, sorted */
  alphabet: string;
  bars: number;
  notes: number;
  voices: number;
  /** bars in which nothing sounds */
  emptyBars: number;
  /** empty bars before the first note */
  leadingEmptyBars: number;
  /** compressed size divided by size; low if the tune repeats itself */
  gzipRatio: number;
  /** SHA-256 of the text, in hexadecimal */
  contentHash: string;
  /** transposition-invariant: the same for transpositions and near-copies of a tune */
  fingerprint: string;
  /** similar for renderings of one piece, see sketchOf of lib/music */
  sketch: Uint32Array;
}

/**
 * Inspects one file.
 *
 * @throws MusicError if the text cannot be read as music
 * @throws CorpusError if the file has several tunes
 */
export default async function inspectFile(path: string): Promise<InspectedTune> {
  const abc = await readFile(path, 'utf8');
  const tunes = abc.match(/^X:/gm)?.length ?? 0;
  if (tunes > 1)
    throw new CorpusError(`has ${tunes} tunes; \`convert\` makes a file of each tune, so run it on this folder first`);
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
    sketch: sketchOf(score),
  };
}
