/**
 * Which names stages may have. Names are printed, typed in shells, and are part of file names and of environment
 * variables. A name in pipeline.yaml is chosen for a stage, so few characters are enough. The part after the @ of a cell
 * consists of values, which may be any text that can be printed.
 */

/** Characters of ASCII for names in pipeline.yaml, besides letters and digits. Beyond ASCII all printable ones may occur. */
const PUNCTUATION = '_-.,+=:%~/';
const NOT_IN_NAMES = /(?![A-Za-z0-9_\-.,+=:%~/ ])\p{ASCII}/u;

/** Control characters, line and paragraph separators, directional formatting, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** The longest name, in UTF-16 code units. File systems allow 255 bytes for the name of a file. */
const LONGEST = 200;

/**
 * Why a name in pipeline.yaml is not allowed.
 *
 * @returns the end of a sentence; undefined if the name is allowed
 */
export function faultOfName(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.includes('@')) return 'contains an @, which separates the name of a stage from its cell';
  if (/^[\s/-]|[\s/]$/.test(name)) return 'begins with a blank, - or /, or ends with a blank or /';
  const [bad] = UNPRINTABLE.exec(name) ?? NOT_IN_NAMES.exec(name) ?? [];
  if (bad !== undefined)
    return `contains ${describe(bad)}; it may have letters, digits, blanks and ${PUNCTUATION}, and printable characters beyond ASCII`;
  return tooLong(name);
}

/**
 * Why a cell cannot have a name, for the part after the @.
 *
 * @returns the end of a sentence; undefined if the name is allowed
 */
export function faultOfCell(name: string): string | undefined {
  const [bad] = UNPRINTABLE.exec(name) ?? [];
  const fault = bad === undefined ? tooLong(name) : `contains ${describe(bad)}`;
  return fault && `${fault}; if the values are mappings, such as {value: …}, names count them instead`;
}

function tooLong(name: string): string | undefined {
  return name.length > LONGEST ? `has ${name.length} characters, and ${LONGEST} are allowed` : undefined;
}

/** A character in a message. One that cannot be printed is shown by its number. */
function describe(character: string): string {
  if (character === '\n') return 'a line break';
  if (character === '\t') return 'a tab';
  if (!UNPRINTABLE.test(character)) return `the character ${character}`;
  return `the character U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}
