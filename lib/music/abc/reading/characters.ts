/** The characters of music: letters of notes, accidentals, digits. */

/** The letters of notes, from middle C up. */
export const LETTERS = 'CDEFGABcdefgab';

/** Whether a character begins a note: a letter or an accidental. */
export function beginsNote(c: string): boolean {
  return (c >= 'A' && c <= 'G') || (c >= 'a' && c <= 'g') || c === '^' || c === '_' || c === '=';
}

/** Whether a character is one of 0–9. */
export function isDigit(c: string | undefined): boolean {
  return c !== undefined && c >= '0' && c <= '9';
}

/** Whether a character is a letter of ASCII. */
export function isLetter(c: string): boolean {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/** A character for a message: itself, or its code. */
export function printable(c: string): string {
  return c < ' ' || c > '~' ? `U+${c.codePointAt(0)!.toString(16).padStart(4, '0')}` : c;
}

/** Whether U: may give a letter a meaning (standard 2.1, §4.16). */
export function isSymbol(c: string): boolean {
  return /[H-Wh-w]/.test(c);
}

/** The problem of a letter that is neither a note nor a decoration. */
export function undefinedLetter(c: string): string {
  return `"${c}" has no meaning in music unless U: defines it`;
}
