/** Reads a stream of chunks by the number of bytes wanted: what a reader of a binary format needs. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** bytes taken so far */
  position = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Exactly n bytes, or fewer where the stream ends before. */
  async read(n: number): Promise<Uint8Array> {
    const out = new Uint8Array(n);
    let filled = 0;
    for await (const piece of this.pieces(n)) {
      out.set(piece, filled);
      filled += piece.length;
    }
    return filled === n ? out : out.subarray(0, filled);
  }

  /** The next n bytes as they come, without holding them all; fewer where the stream ends before. */
  async *pieces(n: number): AsyncGenerator<Uint8Array> {
    let left = n;
    while (left > 0) {
      if (this.#at === this.#chunk.length) {
        const next = await this.#chunks.next();
        if (next.done) return;
        this.#chunk = next.value;
        this.#at = 0;
      }
      const piece = this.#chunk.subarray(this.#at, this.#at + left);
      this.#at += piece.length;
      this.position += piece.length;
      left -= piece.length;
      yield piece;
    }
  }

  /** Passes over n bytes; returns how many there were. */
  async skip(n: number): Promise<number> {
    let skipped = 0;
    for await (const piece of this.pieces(n)) skipped += piece.length;
    return skipped;
  }
}
