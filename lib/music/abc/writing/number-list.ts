/**
 * A growing list of 32-bit integers whose memory is reused. New memory would not be in the processor's cache and would
 * have to be garbage-collected.
 */

const FIRST_CAPACITY = 1 << 6;
/**
 * A larger array is released when the list is emptied. Otherwise one huge file would occupy its memory until the
 * process ends.
 */
const MAX_KEPT_CAPACITY = 1 << 18;

/** A list of 32-bit integers. */
export class NumberList {
  /** The entries are 0…length−1. Growing replaces the array. */
  numbers = new Int32Array(FIRST_CAPACITY);
  length = 0;

  /** Appends a number. */
  add(number: number): void {
    if (this.length === this.numbers.length) this.#grow();
    this.numbers[this.length++] = number;
  }

  /** Shortens the list to a length. */
  truncate(length: number): void {
    this.length = length;
    if (length === 0 && this.numbers.length > MAX_KEPT_CAPACITY) this.numbers = new Int32Array(FIRST_CAPACITY);
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.numbers.length);
    larger.set(this.numbers);
    this.numbers = larger;
  }
}
