/** An error in a corpus, a tokenizer file, a token store or a call. Its message is written for people. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
}
