/**
 * The token store: the token ids of a corpus in one LMDB file (store-layout.ts). Training reads windows from it without
 * copying.
 *
 * A complete store is never written to again, and reading changes nothing in its directory. Any number of processes may
 * read it; they share the pages in memory. An incomplete store does not open.
 */
import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { TokenizerError } from '../errors.ts';
import { type TokenArray, tokenArray } from '../tokenizer.ts';
import { openWithPrivateLock, readMetaPages } from './lmdb-file.ts';
import {
  CHUNK_BYTES,
  chunkKey,
  DATA_FILE,
  type Database,
  type Extent,
  FORMAT,
  type Meta,
  openLmdb,
  type Split,
  sha256,
  type Totals,
  VERSION,
  WRITING_DIR,
} from './store-layout.ts';
import { type StoreOptions, TokenStoreWriter } from './store-writer.ts';

/**
 * An open token store.
 *
 * @example
 * const store = TokenStore.open('data/tokens/bpe');
 * const window = store.window('train', 1000, 257); // a view of 257 ids
 * await store.close();
 */
export class TokenStore {
  readonly dir: string;
  readonly vocabularySize: number;
  readonly bytesPerToken: 2 | 4;
  readonly #database: Database;
  readonly #totals: Record<Split, Totals>;
  readonly #chunkLength: number;
  /** The chunks read so far, by split and number. */
  readonly #chunks: Record<Split, TokenArray[]> = { train: [], val: [], test: [] };

  /**
   * Begins a new store. An existing store in the directory is removed.
   *
   * @throws TokenizerError if the directory cannot be written
   */
  static create(dir: string, options: StoreOptions): TokenStoreWriter {
    return new TokenStoreWriter(dir, options);
  }

  /**
   * Opens a store.
   *
   * @throws TokenizerError if there is no store in the directory, or if it is incomplete, truncated, of another
   *   version, or of another tokenizer than the tokenizer.json beside it; the message names the directory
   */
  static open(dir: string): TokenStore {
    return new TokenStore(dir);
  }

  private constructor(dir: string) {
    this.dir = dir;
    const file = join(dir, DATA_FILE);
    checkFile(dir, file);
    this.#database = openWithPrivateLock(file, (path) => openLmdb(path, { readOnly: true }));
    try {
      const meta = this.#checkedMeta();
      this.vocabularySize = meta.vocabularySize;
      this.bytesPerToken = meta.bytesPerToken;
      this.#chunkLength = CHUNK_BYTES / meta.bytesPerToken;
      this.#totals = this.#json('totals') as Record<Split, Totals>;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Reads the key `meta`, and checks that the store is complete and belongs to the tokenizer beside it. */
  #checkedMeta(): Meta {
    const { dir } = this;
    const meta = this.#json('meta') as Meta | undefined;
    if (meta?.format !== FORMAT) throw new TokenizerError(`${dir}: data.mdb is an LMDB file, but not a token store`);
    if (meta.version !== VERSION) {
      throw new TokenizerError(
        `${dir}: a token store of version ${meta.version}, this program reads version ${VERSION}; run the tokenize stage again`,
      );
    }
    if (this.#json('complete') !== true) {
      throw new TokenizerError(`${dir}: the token store is not complete; run the tokenize stage again`);
    }
    const tokenizer = join(dir, 'tokenizer.json');
    if (meta.tokenizerSha256 && existsSync(tokenizer) && sha256(tokenizer) !== meta.tokenizerSha256) {
      throw new TokenizerError(
        `${dir}: the token store was written with another tokenizer than the tokenizer.json beside it; run the tokenize stage again`,
      );
    }
    return meta;
  }

  /** The size of a split. */
  totals(split: Split): Totals {
    return { ...this.#totals[split] };
  }

  /**
   * The size of the first documents of a split: as many whole documents as have at most `maxBytes` bytes of text, but
   * at least one if the split is not empty.
   */
  leading(split: Split, maxBytes: number): Totals {
    const leading: Totals = { tokens: 0, bytes: 0, chars: 0, documents: 0 };
    for (const { tokens, bytes, chars } of this.documents(split)) {
      if (leading.documents > 0 && leading.bytes + bytes > maxBytes) break;
      leading.tokens += tokens;
      leading.bytes += bytes;
      leading.chars += chars;
      leading.documents++;
    }
    return leading;
  }

  /**
   * Reads a window of tokens. The result is a view of the mapped file, which must not be written to. Only a window that
   * crosses the end of a chunk is a copy.
   *
   * @param offset position of the first token in the split
   * @param length number of tokens
   * @throws RangeError if the window is not inside the split
   */
  window(split: Split, offset: number, length: number): TokenArray {
    const { tokens } = this.#totals[split];
    if (!(offset >= 0 && length >= 0 && offset + length <= tokens)) {
      throw new RangeError(`${this.dir}: ${split} has ${tokens} tokens, no window of ${length} at ${offset}`);
    }
    const chunkLength = this.#chunkLength;
    const first = Math.floor(offset / chunkLength);
    const start = offset - first * chunkLength;
    if (start + length <= chunkLength) return this.#chunk(split, first).subarray(start, start + length);
    const result = tokenArray(this.vocabularySize, length);
    for (let done = 0; done < length; ) {
      const chunk = this.#chunk(split, Math.floor((offset + done) / chunkLength));
      const from = (offset + done) % chunkLength;
      const part = chunk.subarray(from, from + length - done);
      result.set(part, done);
      done += part.length;
    }
    return result;
  }

  /** Offset and size of each document, in the order in which they were appended. */
  documents(split: Split): (Extent & { offset: number })[] {
    const bytes = this.#database.getBinary(`${split}/documents`) ?? new Uint8Array(0);
    const extents = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    let offset = 0;
    return Array.from({ length: extents.length / 3 }, (_, i) => {
      const [tokens, textBytes, chars] = extents.subarray(3 * i, 3 * i + 3);
      const document = { offset, tokens, bytes: textBytes, chars };
      offset += tokens;
      return document;
    });
  }

  /** Closes the store. Windows that were read from it must not be used afterwards. */
  async close(): Promise<void> {
    await this.#database.close();
  }

  #chunk(split: Split, chunk: number): TokenArray {
    return (this.#chunks[split][chunk] ??= this.#readChunk(split, chunk));
  }

  #readChunk(split: Split, chunk: number): TokenArray {
    const key = chunkKey(split, chunk);
    // getBinaryFast returns a view of the mapped file for a full chunk. For the shorter last chunk it would return a
    // buffer that the next read overwrites, so that one is copied.
    const full = (chunk + 1) * this.#chunkLength <= this.#totals[split].tokens;
    const bytes = full ? this.#database.getBinaryFast(key) : this.#database.getBinary(key);
    if (!bytes) {
      if (this.#totals[split].tokens === 0) return tokenArray(this.vocabularySize, 0);
      throw new TokenizerError(`${this.dir}: the token store lacks ${key}; run the tokenize stage again`);
    }
    const View = this.bytesPerToken === 2 ? Uint16Array : Uint32Array;
    return new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / this.bytesPerToken);
  }

  /** Reads a JSON value. Returns undefined if the key is missing or not JSON, as in a file of another program. */
  #json(key: string): unknown {
    try {
      return JSON.parse(new TextDecoder().decode(this.#database.getBinary(key)));
    } catch {
      return undefined;
    }
  }
}

/** Checks, before the file is mapped, that it exists, is an LMDB file and is not truncated. */
function checkFile(dir: string, file: string): void {
  if (!existsSync(file)) {
    throw new TokenizerError(
      existsSync(join(dir, WRITING_DIR))
        ? `${dir}: the writing of this token store was interrupted; run the tokenize stage again`
        : `${dir}: no token store here (no ${DATA_FILE}); the tokenize stage writes one`,
    );
  }
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const meta = readMetaPages(fd);
    if (!meta) throw new TokenizerError(`${dir}: ${DATA_FILE} is not an LMDB file that this program can read`);
    if (size < meta.fileBytes) {
      throw new TokenizerError(
        `${dir}: the token store is cut short (${size} of ${meta.fileBytes} bytes); run the tokenize stage again`,
      );
    }
  } finally {
    closeSync(fd);
  }
}
