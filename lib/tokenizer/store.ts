/**
 * The token store: the splits of a corpus as token ids in one LMDB file (store-layout.ts), which training reads windows from
 * without copying. Once there it is never written to again, and reading it leaves the directory as it is; any number of
 * processes may read, on the same pages of memory. What is not whole does not open.
 */
import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { openBesideLock, readMetaPages } from './lmdb-file.ts';
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
  WRITING,
} from './store-layout.ts';
import { type StoreOptions, TokenStoreWriter } from './store-writer.ts';
import { type TokenArray, TokenizerError, tokenArray } from './tokenizer.ts';

export class TokenStore {
  readonly dir: string;
  readonly vocabularySize: number;
  readonly bytesPerToken: 2 | 4;
  readonly #database: Database;
  readonly #totals: Record<Split, Totals>;
  readonly #chunkLength: number;
  /** as they are first asked for */
  readonly #chunks: Record<Split, TokenArray[]> = { train: [], val: [], test: [] };

  /** A writer of a new store in `dir`; a store that is there is removed. */
  static create(dir: string, options: StoreOptions): TokenStoreWriter {
    return new TokenStoreWriter(dir, options);
  }

  /** Throws a TokenizerError that names the directory where there is no store, or none that is whole and of this format. */
  static open(dir: string): TokenStore {
    return new TokenStore(dir);
  }

  private constructor(dir: string) {
    this.dir = dir;
    const file = join(dir, DATA_FILE);
    checkFile(dir, file);
    this.#database = openBesideLock(file, (path) => openLmdb(path, { readOnly: true }));
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

  totals(split: Split): Totals {
    return { ...this.#totals[split] };
  }

  /** The whole documents at a split's start that have at most `maxBytes` bytes of text: at least one, where there is one. */
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
   * `length` tokens from `offset` on: a view of the store's memory, not to be written to, or a copy for the few windows that
   * lie over the end of a chunk. Throws a RangeError where the split has no such window.
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

  /** Where each document lies and what it is long, in the order in which they were appended. */
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

  /** Windows given out before must not be used after it. */
  async close(): Promise<void> {
    await this.#database.close();
  }

  #chunk(split: Split, chunk: number): TokenArray {
    return (this.#chunks[split][chunk] ??= this.#readChunk(split, chunk));
  }

  #readChunk(split: Split, chunk: number): TokenArray {
    const key = chunkKey(split, chunk);
    // Of a whole chunk this is a view of the mapped file, of a shorter one a buffer that the next read overwrites.
    const full = (chunk + 1) * this.#chunkLength <= this.#totals[split].tokens;
    const bytes = full ? this.#database.getBinaryFast(key) : this.#database.getBinary(key);
    if (!bytes) {
      if (this.#totals[split].tokens === 0) return tokenArray(this.vocabularySize, 0);
      throw new TokenizerError(`${this.dir}: the token store lacks ${key}; run the tokenize stage again`);
    }
    const View = this.bytesPerToken === 2 ? Uint16Array : Uint32Array;
    return new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / this.bytesPerToken);
  }

  /** undefined too where the value is no JSON: then the file is another program's. */
  #json(key: string): unknown {
    try {
      return JSON.parse(new TextDecoder().decode(this.#database.getBinary(key)));
    } catch {
      return undefined;
    }
  }
}

/** What can be known before the file is mapped: that it is there, is LMDB's, and is as long as it says. */
function checkFile(dir: string, file: string): void {
  if (!existsSync(file)) {
    throw new TokenizerError(
      existsSync(join(dir, WRITING))
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
