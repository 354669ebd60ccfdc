/**
 * Exports a token store to the files of nanoGPT, for programs that cannot read LMDB. train.bin, val.bin and test.bin
 * contain only ids, little-endian. meta.json holds their width. nanoGPT's train.py can read train.bin and val.bin if
 * ids have 2 bytes:
 *
 *     np.memmap('train.bin', dtype=np.uint16, mode='r')
 *
 * nanoGPT's meta.pkl, a Python pickle of the character vocabulary, is not written. tokenizer.json, beside the store,
 * holds the vocabulary.
 *
 * @see karpathy/nanoGPT, data/openwebtext/prepare.py and train.py, `get_batch`
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomically } from '../tokenizer-file.ts';
import { SPLITS } from './store-layout.ts';
import type { TokenStore } from './token-store.ts';

/** Tokens per write. */
const WINDOW = 4 * 1024 * 1024;

/**
 * Writes train.bin, val.bin, test.bin and meta.json.
 *
 * @param store an open token store
 * @param outDir the folder for the files; it is made if it does not exist
 * @throws TokenizerError if meta.json cannot be written
 */
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
  writeFileAtomically(join(outDir, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`);
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
