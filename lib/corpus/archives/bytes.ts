/** Bytes of binary formats: numbers of bytes from a stream, and names. */
import { isUtf8 } from 'node:buffer';

/** Reads given numbers of bytes from a stream of chunks of any size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** bytes read so far */
  position = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Reads exactly n bytes, or fewer if the stream ends first. */
  async read(n: number): Promise<Uint8Array> {
    const out = new Uint8Array(n);
    let filled = 0;
    for await (const chunk of this.chunks(n)) {
      out.set(chunk, filled);
      filled += chunk.length;
    }
    return filled === n ? out : out.subarray(0, filled);
  }

  /** Yields the next n bytes in chunks, so that they need not be in memory together. Yields fewer if the stream ends first. */
  async *chunks(n: number): AsyncGenerator<Uint8Array> {
    let left = n;
    while (left > 0) {
      if (this.#at === this.#chunk.length) {
        const next = await this.#chunks.next();
        if (next.done) return;
        this.#chunk = next.value;
        this.#at = 0;
      }
      const chunk = this.#chunk.subarray(this.#at, this.#at + left);
      this.#at += chunk.length;
      this.position += chunk.length;
      left -= chunk.length;
      yield chunk;
    }
  }

  /** Skips n bytes, or fewer if the stream ends first. Returns the number of skipped bytes. */
  async skip(n: number): Promise<number> {
    let skipped = 0;
    for await (const chunk of this.chunks(n)) skipped += chunk.length;
    return skipped;
  }
}

/**
 * The name of a file in an archive. Old archives use code page 437 or Latin-1. Only the file ending matters here, and it is
 * ASCII, so Latin-1 is sufficient; it also keeps different names different.
 */
export function decodeName(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}
