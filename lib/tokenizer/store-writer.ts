/**
 * Writes a token store: in `dir/.writing`, moved to `dir/data.mdb` when it is whole, so that an interrupted write leaves
 * nothing that opens. The same appends make the same bytes.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { settle } from './lmdb-file.ts';
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
  WRITING,
} from './store-layout.ts';
import { type Encoded, type TokenArray, type Tokenizer, TokenizerError, tokenArray } from './tokenizer.ts';

export interface StoreOptions {
  vocabularySize: number;
  /** saved beside the store as tokenizer.json, and known to the store by its hash */
  tokenizer?: Tokenizer;
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

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
