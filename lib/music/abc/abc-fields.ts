/**
 * Parses the values of the fields K, M, L and Q. Each function returns undefined for an unreadable value.
 *
 * @see ABC standard 2.1, §3.1.6 (M), §3.1.7 (L), §3.1.8 (Q), §3.1.14 (K), §4.6 (clefs and transposition)
 */
import type { Key } from '../model/index.ts';
import { LETTER_SEMITONES, signature } from './spelling.ts';
import { type Metre, WHOLE } from './tune.ts';

/** The value of a K: field. */
export interface KeyField {
  /** undefined if the field has only a clef or a transposition */
  key: Key | undefined;
  /** alteration of each letter C…B in semitones, including accidentals that the field adds */
  alterations: number[];
  /** semitones: the sum of clef (treble-8), transpose= and octave=; undefined if the field has none of them */
  transpose: number | undefined;
}

/** Number of sharps of the major key on each letter C…B; −1 is one flat. */
const LETTER_FIFTHS = [0, 2, 4, -1, 1, 3, 5];
/** For each mode, the number of sharps by which its signature has fewer than the major key on the same tonic. */
const MODES: Record<string, number> = {
  maj: 0,
  ion: 0,
  '': 0,
  mix: 1,
  dor: 2,
  m: 3,
  min: 3,
  aeo: 3,
  phr: 4,
  loc: 5,
  lyd: -1,
};

/**
 * Parses K: `G`, `Am`, `F#dor`, `D =c`, `C exp ^f`, `Hp`, `none`, each with modifiers such as `clef=bass transpose=-2`.
 */
export function parseKey(value: string): KeyField | undefined {
  const text = value.trim();
  const transpose = parseTranspose(text);
  if (text === '' || /^none\b/i.test(text))
    return { key: { fifths: 0, minor: false }, alterations: signature(0), transpose };
  if (/^H[Pp]\b/.test(text)) return { key: { fifths: 2, minor: false }, alterations: signature(2), transpose };
  const tonic = /^([A-G])([#b♯♭]?)\s*([A-Za-z]*)/.exec(text);
  if (tonic === null) {
    // A field of modifiers only, such as a clef, does not change the key.
    return /^(clef|transpose|octave|middle|m|stafflines|staffscale|name|treble|alto|tenor|bass|perc)\b/.test(text) ||
      /^[\^_=]/.test(text)
      ? { key: undefined, alterations: [], transpose }
      : undefined;
  }
  const word = tonic[3].toLowerCase();
  const isModifier =
    /^(clef|transpose|octave|middle|stafflines|staffscale|treble|alto|tenor|bass|perc|exp|none|name|style|t)$/.test(
      word,
    );
  const mode = isModifier ? '' : word.length > 3 ? word.slice(0, 3) : word;
  const fewerSharps = MODES[mode];
  if (fewerSharps === undefined) return undefined;
  const accidental = tonic[2] === '' ? 0 : tonic[2] === '#' || tonic[2] === '♯' ? 7 : -7;
  const fifths = LETTER_FIFTHS['CDEFGAB'.indexOf(tonic[1])] + accidental - fewerSharps;
  if (fifths < -7 || fifths > 7) return undefined;
  const alterations = /\bexp\b/.test(text) ? signature(0) : signature(fifths);
  const rest = text.slice(tonic[0].length - (isModifier ? tonic[3].length : 0));
  for (const [, sign, letter] of rest.matchAll(/(\^\^|__|\^|_|=)\s*([A-Ga-g])(?![A-Za-z])/g)) {
    alterations['CDEFGAB'.indexOf(letter.toUpperCase())] = { '^^': 2, '^': 1, '=': 0, _: -1, __: -2 }[sign]!;
  }
  return { key: { fifths, minor: fewerSharps === 3 }, alterations, transpose };
}

/** Parses the transposition of a K: or V: field, in semitones. */
export function parseTranspose(text: string): number | undefined {
  let semitones: number | undefined;
  const clef = /(?:^|[\s=])(?:treble|alto|tenor|bass|[GCF][1-5]?)([+-]8)(?=\s|$)/.exec(text);
  if (clef !== null) semitones = clef[1] === '+8' ? 12 : -12;
  const transpose = /\b(?:transpose|t)=(-?\d+)/.exec(text);
  if (transpose !== null) semitones = (semitones ?? 0) + Number(transpose[1]);
  const octave = /\boctave=(-?\d+)/.exec(text);
  if (octave !== null) semitones = (semitones ?? 0) + 12 * Number(octave[1]);
  return semitones !== undefined && Math.abs(semitones) > 127 ? undefined : semitones;
}

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

/**
 * Parses Q: `1/4=120`, `"Allegro" 3/8=96`, `1/4 1/8=60`, `C3=40`, `120` (units a minute).
 *
 * @param unit the unit length in ticks
 * @returns microseconds per quarter note; 0 if the field has only words
 */
export function parseTempo(value: string, unit: number): number | undefined {
  const text = value.replace(/"[^"]*"/g, ' ').trim();
  if (text === '') return 0;
  const match = /^(?:([^=]*)=)?\s*(\d+(?:\.\d+)?)$/.exec(text);
  if (match === null) return undefined;
  const beatsPerMinute = Number(match[2]);
  let beat = 0;
  if (match[1] === undefined) {
    beat = unit;
  } else if (/^C\d*\s*$/.test(match[1])) {
    beat = unit * Number(match[1].slice(1).trim() || 1);
  } else {
    for (const part of match[1].trim().split(/\s+/)) {
      const fraction = /^(\d+)\/(\d+)$/.exec(part);
      if (fraction === null) return undefined;
      beat += (WHOLE * Number(fraction[1])) / Number(fraction[2]);
    }
  }
  const quarters = (beatsPerMinute * beat * 4) / WHOLE;
  return quarters >= 1 && quarters <= 10_000 ? Math.round(60e6 / quarters) : undefined;
}

/** The pitch of a staff position with an alteration. It may be outside MIDI's 0–127. */
export function pitchAt(position: number, alteration: number): number {
  const octave = Math.floor(position / 7);
  return 12 * octave + LETTER_SEMITONES[position - 7 * octave] + alteration;
}
