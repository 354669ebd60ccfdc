/**
 * A text that is written piece by piece: bytes in one buffer, where adding strings would leave a string a piece for the collector.
 *
 * ASCII only: of a character beyond it the low eight bits are kept.
 */
export class AsciiText {
  private bytes = Buffer.allocUnsafe(1 << 14);
  private length = 0;

  add(piece: string): void {
    if (this.length + piece.length > this.bytes.length) this.grow(piece.length);
    for (let i = 0; i < piece.length; i++) this.bytes[this.length++] = piece.charCodeAt(i);
  }

  private grow(by: number): void {
    const larger = Buffer.allocUnsafe(2 * (this.length + by));
    this.bytes.copy(larger);
    this.bytes = larger;
  }

  toString(): string {
    return this.bytes.toString('latin1', 0, this.length);
  }
}
