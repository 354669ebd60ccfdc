/**
 * A token store as nanoGPT's files, for programs that cannot read LMDB: train.bin, val.bin and test.bin hold the ids, one
 * after another and nothing else, little-endian, and meta.json says how wide they are. nanoGPT's train.py reads train.bin and
 * val.bin of 2-byte ids as they are:
 *
 *     np.memmap('train.bin', dtype=np.uint16, mode='r')
 *
 * Its meta.pkl, a Python pickle of the character vocabulary, is not written: tokenizer.json beside the store is that, and more.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import type { TokenStore } from './store.ts';
import { SPLITS } from './store-layout.ts';
import { writeWhole } from './tokenizer-file.ts';

/** Tokens that are written at a time. */
const WINDOW = 4 * 1024 * 1024;

export function exportBin(store: TokenStore, outDir: string): void {
  mkdirSync(outDir, { recursive: true });
  for (const split of SPLITS) {
    const { tokens } = store.totals(split);
    const file = openSync(join(outDir, `${split}.bin`), 'w');
    try {
      for (let offset = 0; offset < tokens; offset += WINDOW) {
        writeWindow(file, store.window(split, offset, Math.min(WINDOW, tokens - offset)));
      }
    } finally {
      closeSync(file);
    }
  }
  const meta = {
    vocab_size: store.vocabularySize,
    dtype: store.bytesPerToken === 2 ? 'uint16' : 'uint32',
    splits: Object.fromEntries(SPLITS.map((split) => [split, store.totals(split)])),
  };
  writeWhole(join(outDir, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`);
}

function writeWindow(file: number, ids: Uint16Array | Uint32Array): void {
  const view = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
  const bytes =
    endianness() === 'LE'
      ? view
      : ids.BYTES_PER_ELEMENT === 2
        ? Buffer.from(view).swap16()
        : Buffer.from(view).swap32();
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}
