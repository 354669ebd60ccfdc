/**
 * A text that is written piece by piece: bytes in one buffer, where adding strings would leave a string a piece for the collector.
 * The buffer is kept from one text to the next.
 *
 * ASCII only: of a character beyond it the low eight bits are kept.
 */

const FIRST_ROOM = 1 << 14;
/** What one huge tune needed is not held for good. */
const MOST_KEPT = 1 << 20;

export class AsciiText {
  private bytes = Buffer.allocUnsafe(FIRST_ROOM);
  private length = 0;

  clear(): void {
    this.length = 0;
    if (this.bytes.length > MOST_KEPT) this.bytes = Buffer.allocUnsafe(FIRST_ROOM);
  }

  add(piece: string): void {
    let at = this.length;
    this.length += piece.length;
    if (this.length > this.bytes.length) this.grow(at);
    const { bytes } = this;
    for (let i = 0; i < piece.length; i++) bytes[at++] = piece.charCodeAt(i);
  }

  private grow(filled: number): void {
    const larger = Buffer.allocUnsafe(2 * this.length);
    this.bytes.copy(larger, 0, 0, filled);
    this.bytes = larger;
  }

  toString(): string {
    return this.bytes.toString('latin1', 0, this.length);
  }
}
