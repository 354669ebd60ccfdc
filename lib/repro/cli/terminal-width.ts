/**
 * Text measured in terminal columns. A Chinese, Japanese or Korean character and most emoji take two columns; a
 * combining mark takes none. For ASCII text, columns and characters are the same.
 *
 * fast-string-width is imported here only, so that a run that has nothing to do (cli.ts) does not load it.
 */
import stringWidth from 'fast-string-width';

/** Made at the first use: it loads Unicode's tables, which takes as long as a third of Node's own start. */
let graphemes: Intl.Segmenter | undefined;
/** One column for each character, so no look-up is needed. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/** The number of terminal columns that `text` takes. */
export function columnsOf(text: string): number {
  return PRINTABLE_ASCII.test(text) ? text.length : stringWidth(text);
}

/** Adds spaces after `text` up to the given width in columns. */
export function padEndColumns(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
}

/** Adds spaces before `text` up to the given width in columns. */
export function padStartColumns(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - columnsOf(text))) + text;
}

/**
 * Shortens a text that is wider than `columns`, and ends it with "…". A character is kept whole or left out, so the
 * result can be one column narrower than `columns`.
 *
 * @example cutToColumns('音楽理論', 6) // '音楽…', 5 columns
 */
export function cutToColumns(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (PRINTABLE_ASCII.test(text)) return `${text.slice(0, columns - 1)}…`;
  graphemes ??= new Intl.Segmenter();
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += columnsOf(segment);
    if (used > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/**
 * The rows that a terminal of this width needs for a line. A wide character that does not fit at the end of a row begins
 * the next one.
 *
 * @example rowsOf('a音楽', 4) // 2: 'a音' and '楽'
 */
export function rowsOf(line: string, columns: number): number {
  const width = columnsOf(line);
  if (PRINTABLE_ASCII.test(line) || width <= columns) return Math.max(1, Math.ceil(width / columns));
  graphemes ??= new Intl.Segmenter();
  let [rows, used] = [1, 0];
  for (const { segment } of graphemes.segment(line)) {
    const own = columnsOf(segment);
    if (used + own > columns) [rows, used] = [rows + 1, 0];
    used += own;
  }
  return rows;
}
