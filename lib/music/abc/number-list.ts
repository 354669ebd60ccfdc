/**
 * Whole numbers of 32 bits, added one by one, in memory that is kept from one use to the next: memory that is new each time is not
 * in the processor's cache, and has to be collected.
 */

const FIRST_ROOM = 1 << 6;
/** What one huge file needed is not held for good. */
const MOST_KEPT = 1 << 18;

export class NumberList {
  /** what has been added, from 0 to `length`; another array once it has grown */
  numbers = new Int32Array(FIRST_ROOM);
  length = 0;

  add(number: number): void {
    if (this.length === this.numbers.length) this.grow();
    this.numbers[this.length++] = number;
  }

  /** Forgets all from there on. */
  cut(length: number): void {
    this.length = length;
    if (length === 0 && this.numbers.length > MOST_KEPT) this.numbers = new Int32Array(FIRST_ROOM);
  }

  private grow(): void {
    const larger = new Int32Array(2 * this.numbers.length);
    larger.set(this.numbers);
    this.numbers = larger;
  }
}
