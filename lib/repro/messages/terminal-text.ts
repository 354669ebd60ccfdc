/**
 * Makes text from outside harmless to print: names of files and stages, values, error messages, and the output of
 * stages. Control characters could move the cursor, erase lines, set the window's title or make the terminal type.
 * Characters of bidirectional text could show a name in another order than it is written.
 *
 * @see ECMA-48, 5.2 and 5.3 (C0 and C1 sets), 8.3.117 (SGR); Unicode Standard Annex 9, 2 (directional formatting)
 */

/** Control characters (C0, DEL, C1) without line break and tab, and embeddings, overrides and isolates of UAX 9. */
const UNSAFE = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
/** Unsafe characters, including line break and tab. */
const UNSAFE_IN_LINE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
/** Unsafe characters that JSON.stringify does not escape. They occur only in strings. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
/** Select Graphic Rendition: colours, bold, underline and the like. */
const SGR = /(\u001b\[[\d;:]*m)/;
const SGR_RESET = '\u001b[0m';

/**
 * Shows control characters and directional formatting as escapes. Line breaks and tabs stay.
 *
 * @example escapeControls('\u001b[2Jx\u202e') // '\\x1b[2Jx\\u202e'
 */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, escapeOf);
}

/** As `escapeControls`, but also shows line breaks and tabs as `\n` and `\t`: for a name or a value within a line. */
export function escapeLine(text: string): string {
  return text.replace(UNSAFE_IN_LINE, escapeOf);
}

/** JSON without control characters and directional formatting. It has the same value when it is read. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    UNSAFE_IN_JSON,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Prepares a line of a stage's output for printing: keeps only the text after the last carriage return, as a terminal
 * does, and escapes control characters.
 *
 * @param colours whether colours stay. They end with the line. Otherwise they are left out
 */
export function outputLine(line: string, colours: boolean): string {
  const parts = afterReturns(line).split(SGR);
  // Every second part is an SGR sequence.
  const text = parts.map((part, i) => (i % 2 === 0 ? escapeControls(part) : colours ? part : '')).join('');
  return colours && parts.length > 1 ? text + SGR_RESET : text;
}

/** The part of a line after its last carriage return: the text that a terminal would show in the end. */
function afterReturns(line: string): string {
  return line.replace(/\r+$/, '').split('\r').at(-1)!;
}

function escapeOf(letter: string): string {
  if (letter === '\n') return '\\n';
  if (letter === '\t') return '\\t';
  const code = letter.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
}
