/**
 * Parses the values of K: and the parameters that K: and V: share: clef, octave, transposition.
 *
 *     K:<tonic><mode> <accidentals> clef=<clef> middle=<pitch> transpose=<semitones> octave=<number> …
 *
 * Values may be quoted. Parameters that only change what is printed are skipped. Unknown words are returned, so that the
 * caller can name them; they change nothing.
 *
 * @see ABC standard 2.1, §3.1.14 (K), §4.6 (clefs and transposition), §7.1 (V)
 */
import type { Key } from '../../model/index.ts';
import { signature } from '../spelling.ts';

/** The parameters of a staff that change what sounds. Each is undefined if the field does not have it. */
export interface StaffParameters {
  /** semitones of the clef: 12 for treble+8; 0 for a clef without an octave */
  clef?: number;
  /** semitones of octave= */
  octave?: number;
  /** semitones of transpose= */
  transpose?: number;
  /** whether the clef is the percussion clef */
  percussion?: boolean;
  /** words that this reader does not know */
  unknown: string[];
}

/** The value of a K: field. */
export interface KeyField {
  /** undefined if the field has only parameters, such as a clef */
  key: Key | undefined;
  /** alteration of each letter C…B in semitones, including accidentals that the field adds */
  alterations: number[];
  staff: StaffParameters;
  /** a fault that does not hide the key, such as a small letter as tonic */
  fault?: string;
}

/** Number of sharps of the major key on each letter C…B; −1 is one flat. */
const LETTER_FIFTHS = [0, 2, 4, -1, 1, 3, 5];
/** For each mode, the number of sharps by which its signature has fewer than the major key on the same tonic. */
const MODES = new Map(
  Object.entries({ maj: 0, ion: 0, '': 0, mix: 1, dor: 2, m: 3, min: 3, aeo: 3, phr: 4, loc: 5, lyd: -1 }),
);
/** Parameters of K: and V: that change nothing in what sounds. */
const PRINTED =
  /^(?:middle|m|name|nm|subname|sname|snm|stafflines|staffscale|stem|stems|gchords?|gstem|dyn|lyrics|merge|up|down|cue|style|map|space|brace|bracket|scale|vocals|clefs?|instrument|nolyrics|position)$/i;
const CLEF =
  /^(?:treble|alto|tenor|bass|soprano|mezzo|mezzosoprano|baritone|subbass|perc|none|auto|[GCFP])[1-5]?([+-](?:8|15))?$/;
/** A word: `name=value`, `name="a value"`, a quoted text, or anything up to a space. */
const WORD = /([A-Za-z][\w-]*)=\s*("[^"]*"?|[^\s"]*)|"[^"]*"?|[^\s"]+/g;
const ACCIDENTAL = /^(\^\^|__|\^|_|=)([A-Ga-g])/;
const ALTERATIONS: Record<string, number> = { '^^': 2, '^': 1, '=': 0, _: -1, __: -2 };
/** Parameters that stand before the key, in the wrong order: `clef=bass G`, `bass G`. */
const PARAMETERS_BEFORE_KEY =
  /^((?:(?:[A-Za-z][\w-]*=(?:"[^"]*"|[^\s"]+)|treble|alto|tenor|bass|perc)\s+)+)([A-G][#b♯♭]?(?:\s*(?:m|[Mm](?:aj|in|ix)|[Dd]or|[Aa]eo|[Pp]hr|[Ll]oc|[Ll]yd|[Ii]on)[a-z]*)?)(?=\s|$)/;
/** Larger transpositions leave MIDI's range for every note. */
const MAX_SHIFT = 127;

/**
 * Parses K: `G`, `Am`, `F#dor`, `D =c`, `C exp ^f`, `^f _b`, `Hp`, `none`, each with parameters such as
 * `clef=bass transpose=-2`.
 *
 * @returns undefined if the value names no key
 */
export function parseKey(value: string): KeyField | undefined {
  const text = joinParameters(value.trim()).replace(PARAMETERS_BEFORE_KEY, '$2 $1');
  const tonic = /^([A-G])([#b♯♭]?)(?!lef=)\s?/.exec(text) ?? /^([a-g])([#b♯♭]?)(?=m?$|m?\s|maj|min)/.exec(text);
  if (tonic === null) return keyWithoutTonic(text);
  let rest = text.slice(tonic[0].length);
  // A mode is a word of its own or stands directly after the tonic. `m=B` after a space is the parameter middle=.
  const spaced = /\s$/.test(tonic[0]);
  const word = /^\s*([A-Za-z]+)/.exec(rest);
  let mode = '';
  let fault: string | undefined;
  if (word !== null && !(spaced && rest[word[0].length] === '=')) {
    const name = word[1].toLowerCase();
    const short = name.length > 3 ? name.slice(0, 3) : name;
    if (MODES.has(short)) {
      mode = short;
      rest = rest.slice(word[0].length);
    } else if (!spaced && !/^exp/i.test(name)) {
      return undefined;
    }
  }
  if (/[a-g]/.test(tonic[1])) fault = `the tonic of K:${value} is a small letter`;
  const sharps = /[#♯]/.test(tonic[2]) ? 7 : tonic[2] === '' ? 0 : -7;
  const fewerSharps = MODES.get(mode)!;
  const fifths = LETTER_FIFTHS['CDEFGAB'.indexOf(tonic[1].toUpperCase())] + sharps - fewerSharps;
  const { explicit, accidentals, staff } = parseRest(rest);
  const alterations = explicit ? signature(0) : signature(fifths);
  return { key: keyOf(alter(alterations, accidentals), fifths, fewerSharps === 3), alterations, staff, fault };
}

/** Parses a K: field without a tonic: none, the Highland pipes, accidentals only, or parameters only. */
function keyWithoutTonic(text: string): KeyField | undefined {
  const named = /^(?:none|Hp|HP)(?=\s|$)/i.exec(text);
  const { accidentals, staff, explicit } = parseRest(text.slice(named?.[0].length ?? 0));
  const pipes = named !== null && /^H/i.test(named[0]);
  const alterations = alter(signature(pipes ? 2 : 0), accidentals);
  if (text === '' || named !== null || accidentals.length > 0 || explicit)
    return { key: keyOf(alterations, pipes ? 2 : 0, false), alterations, staff };
  const hasParameters = staff.unknown.length < (text.match(WORD)?.length ?? 0);
  return hasParameters ? { key: undefined, alterations: [], staff } : undefined;
}

/** Parses the parameters of a V: field, after the name of the voice. */
export function parseVoiceParameters(text: string): StaffParameters {
  return parseRest(joinParameters(text)).staff;
}

/** Removes the spaces around the `=` of the parameters that have long names: `clef = bass`. */
function joinParameters(text: string): string {
  return text.replace(/\b(clef|middle|transpose|octave|stafflines|name|subname)\s*=\s+(?=\S)/gi, '$1=');
}

/** Reads the words after the mode or the name of a voice. */
function parseRest(text: string): { explicit: boolean; accidentals: [number, number][]; staff: StaffParameters } {
  const staff: StaffParameters = { unknown: [] };
  const accidentals: [number, number][] = [];
  let explicit = false;
  for (const [word, name, quoted] of text.matchAll(WORD)) {
    if (name !== undefined) setParameter(staff, name.toLowerCase(), quoted.replace(/^"|"$/g, ''), word);
    else if (/^exp$/i.test(word)) explicit = true;
    else if (ACCIDENTAL.test(word)) {
      let left = word;
      for (let match = ACCIDENTAL.exec(left); match !== null; match = ACCIDENTAL.exec(left)) {
        accidentals.push(['CDEFGAB'.indexOf(match[2].toUpperCase()), ALTERATIONS[match[1]]]);
        left = left.slice(match[0].length);
      }
      if (left !== '') staff.unknown.push(word);
    } else if (word.length > 2 && CLEF.test(word)) setParameter(staff, 'clef', word, word);
    else if (!word.startsWith('"') && !PRINTED.test(word)) staff.unknown.push(word);
  }
  return { explicit, accidentals, staff };
}

function setParameter(staff: StaffParameters, name: string, value: string, word: string): void {
  const number = /^[+-]?\d{1,4}$/.test(value) ? Number(value) : undefined;
  if (name === 'clef') {
    const clef = CLEF.exec(value);
    if (clef === null) staff.unknown.push(word);
    else {
      staff.clef = clef[1] === undefined ? 0 : Number(clef[1][0] + (clef[1].endsWith('15') ? 24 : 12));
      staff.percussion = /^(?:perc|P)/.test(value);
    }
  } else if (name === 'transpose' || name === 't') {
    if (number === undefined || Math.abs(number) > MAX_SHIFT) staff.unknown.push(word);
    else staff.transpose = number;
  } else if (name === 'octave') {
    if (number === undefined || Math.abs(number) > MAX_SHIFT / 12) staff.unknown.push(word);
    else staff.octave = 12 * number;
  } else if (!PRINTED.test(name)) staff.unknown.push(word);
}

/** Applies added accidentals to the alterations of the letters, in place. */
function alter(alterations: number[], accidentals: [number, number][]): number[] {
  for (const [letter, alteration] of accidentals) alterations[letter] = alteration;
  return alterations;
}

/**
 * The key of a score for these alterations: the one with this signature, if there is one. Otherwise the key of the
 * field, at most seven sharps or flats.
 */
function keyOf(alterations: number[], fifths: number, minor: boolean): Key {
  const sum = alterations.reduce((a, b) => a + b, 0);
  const isSignature = Math.abs(sum) <= 7 && signature(sum).every((alteration, i) => alteration === alterations[i]);
  if (isSignature) return { fifths: sum, minor: minor && sum === fifths };
  const within = fifths > 7 ? fifths - 12 : fifths < -7 ? fifths + 12 : fifths;
  return { fifths: within, minor };
}
