/**
 * The token store: the splits of a corpus as token ids in one LMDB file, which training reads windows from without copying.
 *
 *   meta              {format, version, vocabularySize, bytesPerToken}
 *   SPLIT/00000000    ids of the split, one document after another, in chunks of just over 16 MiB, the last one shorter
 *   SPLIT/documents   tokens, bytes and characters of each document: three u32 a document
 *   totals            {SPLIT: {tokens, bytes, chars, documents}}
 *   complete          written last, in a transaction of its own
 *
 * A store is written in `dir/.writing` and moved to `dir/data.mdb` when it is whole, so that an interrupted write leaves
 * nothing that opens. The same appends make the same bytes. Once there it is never written to again, and reading it leaves
 * the directory as it is; any number of processes may read, on the same pages of memory.
 *
 * Ids are in this machine's byte order. For other programs see export-bin.ts.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { openBesideLock, readMetaPages, settle } from './lmdb-file.ts';
import { type Encoded, type TokenArray, type Tokenizer, TokenizerError, tokenArray } from './tokenizer.ts';

export type Split = 'train' | 'val' | 'test';
export const SPLITS: readonly Split[] = ['train', 'val', 'test'];

/** Of a split, or of one document: what losses are divided by. Bytes and characters are the text's, without specials. */
export interface Extent {
  tokens: number;
  bytes: number;
  chars: number;
}

export interface Totals extends Extent {
  documents: number;
}

const DATA_FILE = 'data.mdb';
const WRITING = '.writing';
const FORMAT = 'symbolic-music-scaling token store';
const VERSION = 1;

/**
 * Bytes a chunk. lmdb maps values of 16 MiB and more into an ArrayBuffer instead of copying them, and a value of
 * k pages less 24 bytes fills k pages to the last byte.
 */
const CHUNK_BYTES = 16 * 1024 * 1024 + 4096 - 24;

interface Meta {
  format: string;
  version: number;
  vocabularySize: number;
  bytesPerToken: 2 | 4;
  /** of the tokenizer.json that the ids are of; absent where the writer was given none */
  tokenizerSha256?: string;
}

type Database = RootDatabase<Uint8Array, string>;

const chunkKey = (split: Split, chunk: number) => `${split}/${String(chunk).padStart(8, '0')}`;

/** lmdb takes 50 ms to load, and most users of this library open no store. */
function openLmdb(path: string, options: { readOnly?: boolean }): Database {
  const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  return open<Uint8Array, string>(path, {
    noSubdir: true,
    encoding: 'binary',
    maxDbs: 1,
    // Read ahead is for scans; windows are drawn at random.
    noReadAhead: true,
    // Unused parts of pages are zero, so that equal stores are equal bytes; one fsync at the end is enough.
    noMemInit: false,
    noSync: !options.readOnly,
    overlappingSync: false,
    ...options,
  } as Parameters<typeof open>[0] as never);
}

export class TokenStoreWriter {
  readonly #dir: string;
  readonly #database: Database;
  readonly #meta: Meta;
  readonly #splits: Record<Split, SplitWriter>;
  #open = true;

  /** @internal use TokenStore.create */
  constructor(dir: string, options: StoreOptions) {
    this.#dir = dir;
    this.#attempt(() => {
      rmSync(join(dir, WRITING), { recursive: true, force: true });
      rmSync(join(dir, DATA_FILE), { force: true });
      mkdirSync(join(dir, WRITING), { recursive: true });
    });
    const { vocabularySize, tokenizer } = options;
    this.#meta = {
      format: FORMAT,
      version: VERSION,
      vocabularySize,
      bytesPerToken: tokenArray(vocabularySize, 0).BYTES_PER_ELEMENT as 2 | 4,
    };
    if (tokenizer) {
      const file = join(dir, 'tokenizer.json');
      tokenizer.save(file);
      this.#meta.tokenizerSha256 = sha256(file);
    }
    this.#database = this.#attempt(() => openLmdb(join(dir, WRITING, DATA_FILE), {}));
    const writer = (split: Split) =>
      new SplitWriter(vocabularySize, (chunk, ids) => this.#put(chunkKey(split, chunk), ids));
    this.#splits = { train: writer('train'), val: writer('val'), test: writer('test') };
  }

  /** One document: its ids, and the bytes (UTF-8) and characters (code points) of its text. */
  append(split: Split, ids: TokenArray, text: { bytes: number; chars: number }): void {
    this.#splits[split].append(ids, text);
  }

  /** Many documents, with the bytes and characters of each. */
  appendAll(split: Split, { ids, ends }: Encoded, texts: { bytes: number; chars: number }[]): void {
    texts.forEach((text, i) => {
      this.append(split, ids.subarray(i === 0 ? 0 : ends[i - 1], ends[i]), text);
    });
  }

  totals(split: Split): Totals {
    return { ...this.#splits[split].totals };
  }

  /** Makes the store whole. Until this returns there is none. */
  async close(): Promise<void> {
    if (!this.#open) return;
    const totals: Partial<Record<Split, Totals>> = {};
    for (const split of SPLITS) {
      this.#splits[split].flush();
      this.#put(`${split}/documents`, this.#splits[split].documents());
      totals[split] = this.#splits[split].totals;
    }
    this.#put('meta', json(this.#meta));
    this.#put('totals', json(totals));
    this.#put('complete', json(true));
    this.#open = false;
    await this.#database.close();
    this.#attempt(() => {
      const written = join(this.#dir, WRITING, DATA_FILE);
      settle(written);
      renameSync(written, join(this.#dir, DATA_FILE));
      rmSync(join(this.#dir, WRITING), { recursive: true, force: true });
    });
  }

  /** Gives up: what was written is removed. */
  async abort(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#database.close();
    rmSync(join(this.#dir, WRITING), { recursive: true, force: true });
  }

  #put(key: string, value: ArrayBufferView): void {
    this.#attempt(() => this.#database.putSync(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength)));
  }

  /** A full disk or a folder that may not be written to is no fault of the program: it is said where. */
  #attempt<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw new TokenizerError(
        `${this.#dir}: the token store cannot be written (${(error as Error).message}); may the folder be written to, and is the disk full?`,
      );
    }
  }
}

/** Gathers a split's ids into chunks and its documents into an index. */
class SplitWriter {
  readonly totals: Totals = { tokens: 0, bytes: 0, chars: 0, documents: 0 };
  readonly #vocabularySize: number;
  readonly #write: (chunk: number, ids: TokenArray) => void;
  #chunk: TokenArray;
  #filled = 0;
  #chunks = 0;
  #documents = new Uint32Array(3 * 1024);

  constructor(vocabularySize: number, write: (chunk: number, ids: TokenArray) => void) {
    this.#vocabularySize = vocabularySize;
    this.#write = write;
    this.#chunk = tokenArray(vocabularySize, 0);
  }

  append(ids: TokenArray, { bytes, chars }: { bytes: number; chars: number }): void {
    for (let from = 0; from < ids.length; ) {
      if (this.#filled === this.#chunk.length) this.#nextChunk();
      const part = ids.subarray(from, from + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
    }
    const { totals } = this;
    if (3 * totals.documents === this.#documents.length) {
      const larger = new Uint32Array(2 * this.#documents.length);
      larger.set(this.#documents);
      this.#documents = larger;
    }
    this.#documents.set([ids.length, bytes, chars], 3 * totals.documents);
    totals.documents++;
    totals.tokens += ids.length;
    totals.bytes += bytes;
    totals.chars += chars;
  }

  #nextChunk(): void {
    this.flush();
    if (this.#chunk.length === 0)
      this.#chunk = tokenArray(this.#vocabularySize, CHUNK_BYTES / this.#chunk.BYTES_PER_ELEMENT);
  }

  flush(): void {
    if (this.#filled > 0) this.#write(this.#chunks++, this.#chunk.subarray(0, this.#filled));
    this.#filled = 0;
  }

  documents(): Uint32Array {
    return this.#documents.subarray(0, 3 * this.totals.documents);
  }
}

export interface StoreOptions {
  vocabularySize: number;
  /** saved beside the store as tokenizer.json, and known to the store by its hash */
  tokenizer?: Tokenizer;
}

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

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
