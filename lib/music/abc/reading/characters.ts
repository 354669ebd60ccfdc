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
function printable(c: string): string {
  return c < ' ' || c > '~' ? `U+${c.codePointAt(0)!.toString(16).padStart(4, '0')}` : c;
}

/** Letters to which U: may give a meaning (standard 2.1, §4.16). */
const SYMBOLS = /[H-Wh-w]/;
/** Characters that the standard reserves for later versions. Readers should skip them (2.1, §8.1). */
const RESERVED = /[#*;?@]/;

/** The problem of a character that has no meaning in music. Undefined symbols and reserved characters change no note. */
export function meaningless(c: string): { kind: 'symbol' | 'syntax'; message: string } {
  const reason = isLetter(c) ? ' unless U: defines it' : '';
  return {
    kind: SYMBOLS.test(c) || RESERVED.test(c) ? 'symbol' : 'syntax',
    message: `"${printable(c)}" has no meaning in music${reason}`,
  };
}
