/**
 * Cuts documents into pieces. No merge crosses a cut, neither in training nor in encoding.
 *
 *   bar    cuts after each | and each newline, so a token is at most one bar: `A2|B2|]\n` → `A2|` `B2|` `]\n`
 *   line   cuts after each newline
 *   none   does not cut: a document is one piece, and a token may span bars and lines
 *
 * Cuts are between bytes. In UTF-8, | and newline are never part of a longer character, so no cut divides a character.
 */

/** The rule for cutting documents. */
export type Pretokenizer = 'bar' | 'line' | 'none';

/**
 * The same cuts as regular expressions, for the pre-tokenizer `Split` with behavior `Isolated` in tokenizer.json.
 *
 * @see https://huggingface.co/docs/tokenizers/api/pre-tokenizers
 */
export const SPLIT_PATTERN: Record<Pretokenizer, string | undefined> = {
  bar: '[^|\\n]*[|\\n]|[^|\\n]+',
  line: '[^\\n]*\\n|[^\\n]+',
  none: undefined,
};

const NEWLINE = '\n'.charCodeAt(0);
const BAR = '|'.charCodeAt(0);

/**
 * Calls `visit` with the start and end offset of each piece, in order. An empty document has no piece.
 *
 * @param bytes the document in UTF-8
 */
export function eachPiece(
  bytes: Uint8Array,
  pretokenizer: Pretokenizer,
  visit: (start: number, end: number) => void,
): void {
  let start = 0;
  if (pretokenizer !== 'none') {
    const delimiter = pretokenizer === 'bar' ? BAR : NEWLINE;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== NEWLINE && bytes[i] !== delimiter) continue;
      visit(start, i + 1);
      start = i + 1;
    }
  }
  if (start < bytes.length) visit(start, bytes.length);
}
