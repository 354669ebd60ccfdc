/**
 * Limits sampling to the tokens whose text may come next, by any state machine over characters.
 *
 *     const constraint = new TextConstraint(tokenizer, state); // state: lib/music's TuneState after the prompt
 *     sample({ …, constrain: () => constraint });
 */
import type { Tokenizer } from './tokenizer.ts';

/** A state machine over characters: the state after a beginning of a text. */
export interface TextState {
  /** Reads a text. Returns the number of its characters that may come next; the state is used up if not all may. */
  acceptAll(text: string): number;
  /** A state that changes on its own. */
  copy(): TextState;
  /** Whether the text may end here. */
  readonly mayEnd: boolean;
}

/** Texts of all tokens, by tokenizer. A byte is a character, so tokens that are parts of a character have a text too. */
const TEXTS = new WeakMap<Tokenizer, string[]>();

/** The constraint of one stream. It implements lib/engine's TokenConstraint. */
export class TextConstraint {
  readonly #texts: string[];
  readonly #endOfText: number;
  #state: TextState;
  /** the token that was last allowed, and the state after it */
  #tried: { token: number; state: TextState } | undefined;

  /** @param state the state after the prompt */
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
    if (text === '') return false;
    const state = this.#state.copy();
    if (state.acceptAll(text) < text.length) return false;
    this.#tried = { token, state };
    return true;
  }

  /** Adds a token, which must be allowed. */
  accept(token: number): void {
    if (this.#tried?.token !== token) this.allows(token);
    this.#state = this.#tried!.state;
    this.#tried = undefined;
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
