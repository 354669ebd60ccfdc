/**
 * The addon native/bpe, where it is built; native/bpe/src/addon.cc is the other side of these types.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { requireFresh } from '../../native/built.mjs';
import type { Merges } from './bpe-reference.ts';
import type { Pretokenizer } from './pretokenizer.ts';
import { type Encoded, type TokenArray, TokenizerError } from './tokenizer.ts';

/** Counts the distinct pieces of a corpus, then learns merges from them. One call at a time. */
export interface NativeTrainer {
  /** The bytes must stay as they are until this resolves. */
  add(documents: Uint8Array[]): Promise<void>;
  /** `progress[0]` counts the merges learned so far. */
  learn(merges: number, minimumCount: number, forbidden: Uint8Array[], progress: Int32Array): Promise<Merges>;
}

export interface NativeEncoder {
  encode(bytes: Uint8Array): TokenArray;
  /** As `add`: bytes that stay. */
  encodeAll(documents: Uint8Array[], threads: number): Promise<Encoded>;
}

export interface NativeBpe {
  Trainer: new (pretokenizer: Pretokenizer) => NativeTrainer;
  /**
   * `ids` maps symbols to ids; `wide` asks for Uint32Array. Throws where some symbol is not the encoding of its own
   * bytes, as can be in files of other programs: this algorithm would then give other ids than the merges do.
   */
  Encoder: new (
    merges: Merges,
    ids: Uint32Array,
    wide: boolean,
    pretokenizer: Pretokenizer,
  ) => NativeEncoder;
}

let loaded: NativeBpe | null | undefined;

export type Implementation = 'native' | 'typescript';

/**
 * The addon, or null where TypeScript is asked for or it is not built: said once on stderr, or thrown if it was asked for.
 * Throws a StaleAddonError where it was built of other sources than those beside it.
 */
export function nativeBpe(implementation?: Implementation): NativeBpe | null {
  if (implementation === 'typescript') return null;
  if (loaded === undefined) {
    requireFresh('bpe');
    const require = createRequire(import.meta.url);
    try {
      loaded = require('node-gyp-build')(fileURLToPath(new URL('../../native/bpe', import.meta.url))) as NativeBpe;
    } catch {
      loaded = null;
      console.warn('warning: native/bpe is not built: BPE runs in TypeScript, slowly. `npm run build` builds it.');
    }
  }
  if (!loaded && implementation === 'native') throw new TokenizerError('native/bpe is not built: run `npm run build`');
  return loaded;
}
