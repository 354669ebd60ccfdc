/**
 * Limits sampling to the tokens whose text may come next, by any state machine over characters.
 *
 *     const constraint = new TextConstraint(tokenizer, state); // state: lib/music's TuneState after the prompt
 *     sample({ …, constrain: () => constraint });
 */
import type { Tokenizer } from './tokenizer.ts';

/** A state machine over characters: the state after a beginning of a text. */
export interface TextState {
  /** Whether a text may come next. The state does not change. */
  mayAccept(text: string): boolean;
  /** Reads a text that may come next. */
  acceptAll(text: string): unknown;
  /** Whether the text may end here. */
  readonly mayEnd: boolean;
}

/** Texts of all tokens, by tokenizer. A byte is a character, so tokens that are parts of a character have a text too. */
const TEXTS = new WeakMap<Tokenizer, string[]>();

/** The constraint of one stream. It implements lib/engine's TokenConstraint. */
export class TextConstraint {
  readonly #texts: string[];
  readonly #endOfText: number;
  readonly #state: TextState;

  /** @param state the state after the prompt; the constraint changes it */
  constructor(tokenizer: Tokenizer, state: TextState) {
    this.#texts = textsOf(tokenizer);
    this.#endOfText = tokenizer.endOfText;
    this.#state = state;
  }

  /** Whether the text of this token may come next. The end of the text is allowed where the text may end. */
  allows(token: number): boolean {
    if (token === this.#endOfText) return this.#state.mayEnd;
    const text = this.#texts[token];
    // The other specials have no text.
    return text !== '' && this.#state.mayAccept(text);
  }

  /** Adds a token, which must be allowed. */
  accept(token: number): void {
    this.#state.acceptAll(this.#texts[token]);
  }
}

function textsOf(tokenizer: Tokenizer): string[] {
  let texts = TEXTS.get(tokenizer);
  if (texts === undefined) {
    const bytes = (token: number) => Buffer.from(tokenizer.decodeBytes([token])).toString('latin1');
    texts = Array.from({ length: tokenizer.vocabularySize }, (_, token) => bytes(token));
    TEXTS.set(tokenizer, texts);
  }
  return texts;
}
