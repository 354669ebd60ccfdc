/** Both implementations of BPE, so that one specification is put to each; the native one only where it is built. */
import { BpeTokenizer } from '../../lib/tokenizer/index.ts';

export async function builtImplementations(): Promise<('native' | 'typescript')[]> {
  try {
    await BpeTokenizer.train(['a'], { vocabularySize: 257, implementation: 'native' });
    return ['native', 'typescript'];
  } catch {
    console.warn('native/bpe is not built: only the TypeScript of BPE is tested');
    return ['typescript'];
  }
}

/** Numbers below n from a seed, the same on every run (mulberry32). */
export function seeded(seed: number): (n: number) => number {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** Text of a few letters, in which pairs, runs and ties abound. */
export function scrambled(draw: (n: number) => number, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[draw(alphabet.length)]).join('');
}
