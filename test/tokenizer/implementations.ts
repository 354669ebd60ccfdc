/** The implementations of BPE under test, and random texts from a seed. */
import { referenceEncode, referenceTrain } from '../../lib/tokenizer/bpe/bpe-reference.ts';
import { eachPiece } from '../../lib/tokenizer/bpe/pretokenizer.ts';
import { BpeTokenizer, type Pretokenizer } from '../../lib/tokenizer/index.ts';

/** Lists the implementations of BPE: native, if it is built, and TypeScript. */
export async function builtImplementations(): Promise<('native' | 'typescript')[]> {
  try {
    await BpeTokenizer.train(['a'], { vocabularySize: 257, implementation: 'native' });
    return ['native', 'typescript'];
  } catch {
    console.warn('native/bpe is not built: only the TypeScript implementation of BPE is tested');
    return ['typescript'];
  }
}

/** Splits a document into pieces. */
function piecesOf(document: string | Uint8Array, pretokenizer: Pretokenizer): Uint8Array[] {
  const bytes = Buffer.from(document);
  const pieces: Uint8Array[] = [];
  eachPiece(bytes, pretokenizer, (start, end) => pieces.push(bytes.subarray(start, end)));
  return pieces;
}

/**
 * Trains the reference as BpeTokenizer.train does, with `<|endoftext|>` as the only special token, and returns the
 * merges.
 */
export function trainReference(
  documents: string[],
  options: { vocabularySize: number; pretokenizer: Pretokenizer; minimumCount?: number },
): Uint32Array {
  const { vocabularySize, pretokenizer, minimumCount = 1 } = options;
  const pieces = documents.flatMap((document) => piecesOf(document, pretokenizer));
  return referenceTrain(pieces, {
    merges: vocabularySize - 257,
    minimumCount,
    forbidden: [Buffer.from('<|endoftext|>')],
  });
}

/** Encodes with the reference. Ids are symbols + 1, since `<|endoftext|>` has the id 0. */
export function encodeWithReference(
  document: string | Uint8Array,
  merges: Uint32Array,
  pretokenizer: Pretokenizer,
): number[] {
  return piecesOf(document, pretokenizer).flatMap((piece) =>
    referenceEncode(piece, merges).map((symbol) => symbol + 1),
  );
}

/** Makes a generator of integers from 0 to n − 1, the same on every run for a seed (mulberry32). */
export function seeded(seed: number): (n: number) => number {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** Draws a text over a small alphabet, so that it has many repeated pairs, runs of one letter, and ties. */
export function scrambled(draw: (n: number) => number, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[draw(alphabet.length)]).join('');
}
