/**
 * Parses the values of the fields M, L and P. Each function returns undefined for an unreadable value.
 * key-field.ts parses K, and tempo-field.ts Q.
 *
 * @see ABC standard 2.1, §3.1.6 (M), §3.1.7 (L), §3.1.9 (P)
 */
import { LETTER_SEMITONES } from '../spelling.ts';
import { type Metre, WHOLE } from '../tune.ts';

/** Parses M: `4/4`, `C`, `C|`, `2+3/8`, `(2+3)/8`. Returns 'free' for `none`. */
export function parseMetre(value: string): Metre | 'free' | undefined {
  const text = value.trim();
  if (text === 'C') return { numerator: 4, denominator: 4 };
  if (text === 'C|') return { numerator: 2, denominator: 2 };
  if (/^none\b/i.test(text) || text === '') return 'free';
  const match = /^\(?\s*(\d+(?:\s*\+\s*\d+)*)\s*\)?\s*\/\s*(\d+)$/.exec(text);
  if (match === null) return undefined;
  const numerator = match[1].split('+').reduce((sum, part) => sum + Number(part), 0);
  const denominator = Number(match[2]);
  if (
    numerator < 1 ||
    numerator > 255 ||
    denominator < 1 ||
    denominator > 64 ||
    !Number.isInteger(Math.log2(denominator))
  )
    return undefined;
  return { numerator, denominator };
}

/** Parses L: `1/8`, `1`. Returns the duration of a note without a length, in ticks. */
export function parseUnit(value: string): number | undefined {
  const match = /^\s*(\d+)\s*(?:\/\s*(\d+))?\s*$/.exec(value);
  if (match === null) return undefined;
  const unit = (WHOLE * Number(match[1])) / Number(match[2] ?? 1);
  return unit >= WHOLE / 512 && unit <= 4 * WHOLE ? unit : undefined;
}

/** The unit length without an L: field: a sixteenth if the metre is below 3/4, otherwise an eighth. In ticks. */
export function defaultUnit(metre: Metre | undefined): number {
  return metre !== undefined && metre.numerator / metre.denominator < 0.75 ? WHOLE / 16 : WHOLE / 8;
}

/** Larger part orders are typing errors, such as A99999. */
const MAX_PARTS = 1000;

/**
 * Parses P: of the header: the order in which parts are played. `ABA`, `A2B`, `(AB)3C`, `A.B.C`.
 *
 * @returns undefined if the value is no order of parts, such as a title
 */
export function parsePartOrder(value: string): string[] | undefined {
  const groups: string[][] = [[]];
  let last: string[] = [];
  for (const [token, digits] of value.replace(/[\s.,]+/g, '').matchAll(/(\d+)|[A-Z()]|./gu)) {
    const group = groups.at(-1)!;
    if (digits !== undefined) {
      const copies = Math.min(Number(digits), MAX_PARTS) - 1;
      for (let i = 0; i < copies && group.length + last.length <= MAX_PARTS; i++) group.push(...last);
      last = [];
    } else if (token === '(') groups.push([]);
    else if (token === ')') {
      if (groups.length < 2) return undefined;
      last = groups.pop()!;
      groups.at(-1)!.push(...last);
    } else if (/[A-Z]/.test(token)) group.push(...(last = [token]));
    else return undefined;
    if (groups.at(-1)!.length > MAX_PARTS) return undefined;
  }
  return groups.length === 1 && groups[0].length > 0 ? groups[0] : undefined;
}

/** The pitch of a staff position with an alteration. It may be outside MIDI's 0–127. */
export function pitchAt(position: number, alteration: number): number {
  const octave = Math.floor(position / 7);
  return 12 * octave + LETTER_SEMITONES[position - 7 * octave] + alteration;
}
