/**
 * Decides which notes are written with an accidental.
 *
 * ABC software differs in two points: whether an accidental holds to the end of the bar for its own octave or for all
 * octaves, and whether it holds over `&`. A note is written without an accidental only if all readings give its pitch.
 */
import { POSITIONS, type Spelling } from '../spelling.ts';

/** The accidentals in force while a voice is written. */
export class Accidentals {
  /** number of the current layer, counted over the whole voice; and number of this bar's first layer */
  #layer = 0;
  #barLayer = 0;
  /** the layer in which an accidental was last written for each letter C…B, and its alteration */
  readonly #letterLayer = new Int32Array(7);
  readonly #letterAlteration = new Int8Array(7);
  /** the same by staff position */
  readonly #positionLayer = new Int32Array(POSITIONS);
  readonly #positionAlteration = new Int8Array(POSITIONS);

  /** Forgets the accidentals of the bar before. */
  beginBar(): void {
    this.#barLayer = ++this.#layer;
  }

  /** Begins the next layer of the same bar. */
  beginLayer(): void {
    this.#layer++;
  }

  /** The note's text without its length: accidental if needed, letter and octave marks. */
  write(pitch: number, spelling: Spelling): string {
    const letter = spelling.letter[pitch];
    const alteration = spelling.alteration[pitch];
    const inSignature = spelling.signature[letter] === alteration;
    if (this.#letterLayer[letter] < this.#barLayer) {
      // This bar has no accidental on the letter in any octave.
      if (inSignature) return spelling.plain[pitch];
    } else if (this.#allReadingsGive(alteration, spelling.position[pitch], letter, inSignature)) {
      return spelling.plain[pitch];
    }
    const position = spelling.position[pitch];
    this.#letterLayer[letter] = this.#positionLayer[position] = this.#layer;
    this.#letterAlteration[letter] = this.#positionAlteration[position] = alteration;
    return spelling.marked[pitch];
  }

  /** Whether all readings give this alteration, for a letter that has had an accidental in this bar. */
  #allReadingsGive(alteration: number, position: number, letter: number, inSignature: boolean): boolean {
    if (this.#letterAlteration[letter] !== alteration) return false;
    if (!inSignature && this.#letterLayer[letter] < this.#layer) return false;
    if (this.#positionLayer[position] < this.#barLayer) return inSignature;
    return (
      this.#positionAlteration[position] === alteration &&
      (inSignature || this.#positionLayer[position] === this.#layer)
    );
  }
}
