/**
 * Writes a token store. The file is written in `dir/.writing` and moved to `dir/data.mdb` when it is complete, so an
 * interrupted write leaves no store that opens. The same documents give the same bytes.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TokenizerError } from '../errors.ts';
import { type Encoded, type TokenArray, type Tokenizer, tokenArray } from '../tokenizer.ts';
import { finishDataFile } from './lmdb-file.ts';
import {
  CHUNK_BYTES,
  chunkKey,
  DATA_FILE,
  type Database,
  FORMAT,
  type Meta,
  openLmdb,
  SPLITS,
  type Split,
  sha256,
  type Totals,
  VERSION,
  WRITING_DIR,
} from './store-layout.ts';

/** Options of a new token store. */
export interface StoreOptions {
  vocabularySize: number;
  /** Saved beside the store as tokenizer.json. The store keeps its hash. */
  tokenizer?: Tokenizer;
}

/** The number of bytes (UTF-8) and characters (code points) of a document's text. */
export interface TextSize {
  bytes: number;
  chars: number;
}

/** Values per document in the document index: tokens, bytes, characters. */
const INDEX_WIDTH = 3;

/** Documents that the document index holds before it first grows. */
const INITIAL_DOCUMENTS = 1024;

/** Writes a token store. `close` completes it; `abort` removes it. */
export class TokenStoreWriter {
  readonly #dir: string;
  readonly #database: Database;
  readonly #meta: Meta;
  readonly #splits: Record<Split, SplitWriter>;
  #open = true;

  /** @internal Use `TokenStore.create`. */
  constructor(dir: string, options: StoreOptions) {
    this.#dir = dir;
    this.#writing(() => {
      rmSync(join(dir, WRITING_DIR), { recursive: true, force: true });
      rmSync(join(dir, DATA_FILE), { force: true });
      mkdirSync(join(dir, WRITING_DIR), { recursive: true });
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
    this.#database = this.#writing(() => openLmdb(join(dir, WRITING_DIR, DATA_FILE), {}));
    const writer = (split: Split) =>
      new SplitWriter(vocabularySize, (chunk, ids) => this.#put(chunkKey(split, chunk), ids));
    this.#splits = { train: writer('train'), val: writer('val'), test: writer('test') };
  }

  /**
   * Appends a document to a split.
   *
   * @throws TokenizerError if the store cannot be written
   */
  append(split: Split, ids: TokenArray, text: TextSize): void {
    this.#splits[split].append(ids, text);
  }

  /** Appends many documents to a split, with the text size of each. */
  appendAll(split: Split, { ids, ends }: Encoded, texts: TextSize[]): void {
    texts.forEach((text, i) => {
      this.append(split, ids.subarray(i === 0 ? 0 : ends[i - 1], ends[i]), text);
    });
  }

  /** The size of a split so far. */
  totals(split: Split): Totals {
    return { ...this.#splits[split].totals };
  }

  /**
   * Completes the store. Before this returns, the store cannot be opened.
   *
   * @throws TokenizerError if the store cannot be written
   */
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
    this.#writing(() => {
      const written = join(this.#dir, WRITING_DIR, DATA_FILE);
      finishDataFile(written);
      renameSync(written, join(this.#dir, DATA_FILE));
      rmSync(join(this.#dir, WRITING_DIR), { recursive: true, force: true });
    });
  }

  /** Removes the unfinished store. */
  async abort(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#database.close();
    rmSync(join(this.#dir, WRITING_DIR), { recursive: true, force: true });
  }

  #put(key: string, value: ArrayBufferView): void {
    this.#writing(() => this.#database.putSync(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength)));
  }

  /** Runs a write. Reports a full disk or a missing permission as a TokenizerError that names the directory. */
  #writing<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw new TokenizerError(
        `${this.#dir}: the token store cannot be written (${(error as Error).message}); is the folder writable, and is the disk full?`,
      );
    }
  }
}

/** Collects the ids of a split into chunks, and the sizes of its documents into an index. */
class SplitWriter {
  readonly totals: Totals = { tokens: 0, bytes: 0, chars: 0, documents: 0 };
  readonly #vocabularySize: number;
  readonly #write: (chunk: number, ids: TokenArray) => void;
  /** The chunk being filled; empty before the first document. */
  #chunk: TokenArray;
  /** Number of ids in #chunk. */
  #filled = 0;
  #chunksWritten = 0;
  #index = new Uint32Array(INDEX_WIDTH * INITIAL_DOCUMENTS);

  constructor(vocabularySize: number, write: (chunk: number, ids: TokenArray) => void) {
    this.#vocabularySize = vocabularySize;
    this.#write = write;
    this.#chunk = tokenArray(vocabularySize, 0);
  }

  append(ids: TokenArray, { bytes, chars }: TextSize): void {
    for (let from = 0; from < ids.length; ) {
      if (this.#filled === this.#chunk.length) this.#nextChunk();
      const part = ids.subarray(from, from + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
    }
    const { totals } = this;
    if (INDEX_WIDTH * totals.documents === this.#index.length) {
      const larger = new Uint32Array(2 * this.#index.length);
      larger.set(this.#index);
      this.#index = larger;
    }
    this.#index.set([ids.length, bytes, chars], INDEX_WIDTH * totals.documents);
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

  /** Writes the ids of the current chunk. */
  flush(): void {
    if (this.#filled > 0) this.#write(this.#chunksWritten++, this.#chunk.subarray(0, this.#filled));
    this.#filled = 0;
  }

  /** The value of the key SPLIT/documents. */
  documents(): Uint32Array {
    return this.#index.subarray(0, INDEX_WIDTH * this.totals.documents);
  }
}

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
