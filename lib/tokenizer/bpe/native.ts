/** Loads the addon native/bpe and declares its types. Its C++ side is native/bpe/src/addon.cpp. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { requireFresh } from '../../../native/built.mjs';
import { TokenizerError } from '../errors.ts';
import type { Encoded, TokenArray } from '../tokenizer.ts';
import type { Merges } from './merges.ts';
import type { Pretokenizer } from './pretokenizer.ts';

/** Counts the distinct pieces of a corpus, then learns merges from them. Only one call may run at a time. */
export interface NativeTrainer {
  /** Counts the pieces of some documents. The bytes must not change before the promise resolves. */
  add(documents: Uint8Array[]): Promise<void>;
  /** Learns merges, on another thread. `progress[0]` holds the number of merges learned so far. */
  learn(merges: number, minimumCount: number, forbidden: Uint8Array[], progress: Int32Array): Promise<Merges>;
}

/** Encodes documents to ids. */
export interface NativeEncoder {
  /** Encodes one document, synchronously. */
  encode(bytes: Uint8Array): TokenArray;
  /** Encodes documents on other threads. The bytes must not change before the promise resolves. */
  encodeAll(documents: Uint8Array[], threads: number): Promise<Encoded>;
}

/** The exports of the addon. */
export interface NativeBpe {
  Trainer: new (pretokenizer: Pretokenizer) => NativeTrainer;
  /**
   * Makes an encoder. `ids` maps symbols to ids; `wide` selects Uint32Array for the result.
   *
   * Its algorithm requires that each symbol is the encoding of its own bytes. Training ensures this, but a file of
   * another program may break it. The constructor then throws, because the ids could differ from those that the merges
   * give.
   */
  Encoder: new (
    merges: Merges,
    ids: Uint32Array,
    wide: boolean,
    pretokenizer: Pretokenizer,
  ) => NativeEncoder;
}

/** The implementation of BPE that runs. */
export type Implementation = 'native' | 'typescript';

/** The addon once it was loaded, or null if it is not built. */
let addon: NativeBpe | null | undefined;

/**
 * Loads the addon.
 *
 * @param implementation by default, the addon is used if it is built; if not, a warning is printed once on stderr
 * @returns the addon, or null if BPE must run in TypeScript
 * @throws TokenizerError if `implementation` is 'native' and the addon is not built
 * @throws StaleAddonError if the addon was built from other sources than those beside it
 */
export function nativeBpe(implementation?: Implementation): NativeBpe | null {
  if (implementation === 'typescript') return null;
  if (addon === undefined) {
    requireFresh('bpe');
    const require = createRequire(import.meta.url);
    try {
      addon = require('node-gyp-build')(fileURLToPath(new URL('../../../native/bpe', import.meta.url))) as NativeBpe;
    } catch {
      addon = null;
      console.warn('warning: native/bpe is not built: BPE runs in TypeScript, slowly. `npm run build` builds it.');
    }
  }
  if (!addon && implementation === 'native') throw new TokenizerError('native/bpe is not built: run `npm run build`');
  return addon;
}
