/**
 * Where a document is cut before BPE: no merge reaches over a cut, neither in training nor in encoding.
 *
 *   bar    after each | and newline: a token is at most a bar. `A2|B2|]\n` → `A2|` `B2|` `]\n`
 *   line   after each newline
 *   none   not at all: a document is one piece, and a token may span bars and lines
 *
 * Cuts are at bytes, and | and newline are never part of a longer UTF-8 character, so any bytes can be cut.
 */

export type Pretokenizer = 'bar' | 'line' | 'none';

/** The same cuts as a regular expression, for Hugging Face's `Split` with behavior `Isolated`. */
export const SPLIT_PATTERN: Record<Pretokenizer, string | undefined> = {
  bar: '[^|\\n]*[|\\n]|[^|\\n]+',
  line: '[^\\n]*\\n|[^\\n]+',
  none: undefined,
};

const NEWLINE = 0x0a;
const BAR = 0x7c;

/** Calls `visit` with the start and end of each piece of a document, in order; an empty document has none. */
export function eachPiece(
  bytes: Uint8Array,
  pretokenizer: Pretokenizer,
  visit: (start: number, end: number) => void,
): void {
  let start = 0;
  if (pretokenizer !== 'none') {
    const bar = pretokenizer === 'bar' ? BAR : NEWLINE;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== NEWLINE && bytes[i] !== bar) continue;
      visit(start, i + 1);
      start = i + 1;
    }
  }
  if (start < bytes.length) visit(start, bytes.length);
}
