/**
 * A text that is written piece by piece into one byte buffer. Concatenating strings would create a string for each
 * piece, which the garbage collector must free. The buffer is reused from one text to the next.
 *
 * ASCII only: other characters are cut to their low eight bits.
 */

const FIRST_CAPACITY = 1 << 14;
/**
 * A larger buffer is released when the next text begins. Otherwise one huge tune would occupy its memory until the
 * process ends.
 */
const MAX_KEPT_CAPACITY = 1 << 20;

/** A growing text of ASCII characters. */
export class AsciiText {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;

  /** Begins a new text. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_CAPACITY) this.#bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  }

  /** Appends a string. */
  add(piece: string): void {
    let at = this.#length;
    this.#length += piece.length;
    if (this.#length > this.#bytes.length) this.#grow(at);
    const bytes = this.#bytes;
    for (let i = 0; i < piece.length; i++) bytes[at++] = piece.charCodeAt(i);
  }

  #grow(filled: number): void {
    const larger = Buffer.allocUnsafe(2 * this.#length);
    this.#bytes.copy(larger, 0, 0, filled);
    this.#bytes = larger;
  }

  /** The text since `clear`. */
  toString(): string {
    return this.#bytes.toString('latin1', 0, this.#length);
  }
}
