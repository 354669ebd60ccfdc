/**
 * Reads decorations: `!trill!`, and `+trill+` of old versions. Only the octave decorations change what sounds.
 *
 * A `!` may also be a line break of old programs, and `+CEG+` a chord of version 1.5.
 *
 * @see ABC standard 2.1, §4.14 (decorations), §10.2.1 (outdated line breaks)
 */

/** A decoration that ends in its line. */
export const DECORATION = /!([^!\n|]*)!|\+((?:[a-z<>()0-9.]|[A-Z](?=\.))+)\+/y;
/** A chord of version 1.5, such as `+CEG+`; `+f+` and `+ff+` are dynamics. */
const OLD_CHORD = /\+(?!f+\+)(?:[\^_=]*[A-Ga-g][,']*[\d/]* *)+\+/y;
/** Text between two `!` that can only be music between two line breaks of old programs. */
const NOTES_BETWEEN = /^(?!f+$|[\d<>()+]+$|[Dd]$)[A-Ga-gz\d/,'\s<>()^_=-]+$/;
/** Decorations that shift what sounds by octaves, in semitones. */
const OTTAVA: Record<string, number> = { '8va': 12, '8vb': -12, '15ma': 24, '15mb': -24 };

/**
 * The shift of an octave decoration: `8va(` begins one, `8va)` ends it.
 *
 * @returns semitones; undefined for other decorations
 */
function ottavaShift(decoration: string | undefined): number | undefined {
  const [, name, bracket] = /^(\d+[a-z]+)([()])$/.exec(decoration ?? '') ?? [];
  const shift = name === undefined ? undefined : OTTAVA[name];
  return shift === undefined || bracket === '(' ? shift : 0;
}

/** Whether a chord of version 1.5 stands at a place of a line. */
export function isOldChord(text: string, at: number): boolean {
  OLD_CHORD.lastIndex = at;
  return text[at] === '+' && OLD_CHORD.test(text);
}

/**
 * Reads what begins with the `!` or `+` at a place of a line.
 *
 * @returns characters to skip, semitones of an octave decoration, and whether it is a decoration without an end
 */
export function readDecoration(text: string, at: number): { length: number; ottava?: number; isOpen: boolean } {
  DECORATION.lastIndex = at;
  const match = DECORATION.exec(text);
  const name = match?.[1] ?? match?.[2];
  if (match !== null && (text[at] === '+' || !NOTES_BETWEEN.test(name!)))
    return { length: match[0].length, ottava: ottavaShift(name), isOpen: false };
  if (text[at] !== '!') return { length: 1, isOpen: true };
  const before = at === 0 ? ' ' : text[at - 1];
  const after = text[at + 1] ?? ' ';
  if (match !== null || /[\s%|:\]]/.test(after) || /[\s|:\]]/.test(before)) return { length: 1, isOpen: false };
  // The letters that begin its name are not played.
  return { length: 1 + /^[h-w]*/.exec(text.slice(at + 1))![0].length, isOpen: true };
}

/** The letters that U: gives a meaning. */
export class Symbols {
  /** semitones of octave decorations, undefined for others, by letter */
  readonly #meanings = new Map<string, number | undefined>();

  /** Reads `U: k = !fermata!`. `!nil!` takes a meaning away. */
  define(symbol: string, meaning: string): void {
    if (/^!?(?:nil|none)!?$/.test(meaning)) this.#meanings.delete(symbol);
    else this.#meanings.set(symbol, ottavaShift(/^[!+](.*)[!+]$/.exec(meaning)?.[1]));
  }

  has(symbol: string): boolean {
    return this.#meanings.has(symbol);
  }

  /** The semitones by which a letter shifts the following notes; undefined if it does not. */
  ottava(symbol: string): number | undefined {
    return this.#meanings.get(symbol);
  }
}
