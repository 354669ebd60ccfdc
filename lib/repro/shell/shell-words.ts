/** Quotes text for a POSIX shell, so that the shell reads it back unchanged. shell-script.ts finds out which way is needed. */

/** Text of these characters means itself to every shell, in and outside of quotes. */
const SAFE = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Whether a shell reads the text as it stands: one word without expansions. Keywords such as `if` are not considered. */
export function isSafe(text: string): boolean {
  return SAFE.test(text);
}

/**
 * One word for a place outside of quotes. Text that needs no quotes stays as it is.
 *
 * @example quoteWord("it's") // `'it'\''s'`
 */
export function quoteWord(text: string): string {
  return isSafe(text) ? text : `'${inSingleQuotes(text)}'`;
}

/** The text for a place inside of single quotes: they end before each quote of the text and begin again after it. */
export function inSingleQuotes(text: string): string {
  return text.replaceAll("'", "'\\''");
}

/** The text for a place inside of double quotes. */
export function inDoubleQuotes(text: string): string {
  return text.replace(/[\\"$`]/g, '\\$&');
}

/** The text for a line of a here-document whose delimiter has no quotes. */
export function inHereDocument(text: string): string {
  return text.replace(/[\\$`]/g, '\\$&');
}
