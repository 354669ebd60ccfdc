/**
 * The values of <attributes> in a measure: key, metre and transposition.
 *
 * @see MusicXML 4.0: attributes, key, time, transpose
 */
import type { Metre } from '../abc/index.ts';
import { type Key, MusicError } from '../model/index.ts';
import { childOf, numberIn, numberOf, textIn, type XmlElement } from './xml.ts';

/** A key signature as it is written. */
export interface WrittenKey extends Key {
  /** whether the file says if it is major or minor */
  hasMode: boolean;
}

/** A transposition: how much higher the notes sound than they are written. */
export interface Transposition {
  semitones: number;
  /** sharps that the sounding key has more than the written one */
  fifths: number;
}

/** A numerator in MIDI is one byte. */
const MAX_NUMERATOR = 255;
const DENOMINATORS = [1, 2, 4, 8, 16, 32, 64];
/** Larger transpositions leave MIDI's range for every note. */
const MAX_SEMITONES = 127;

/** Parses <key>. Undefined for a key that has no number of sharps or flats. */
export function parseKey(key: XmlElement): WrittenKey | undefined {
  const fifths = numberIn(key, 'fifths');
  if (fifths === undefined) return undefined;
  const mode = textIn(key, 'mode');
  return {
    fifths: Math.max(-7, Math.min(7, Math.round(fifths))),
    minor: mode === 'minor' || mode === 'aeolian',
    hasMode: mode !== undefined && mode !== '' && mode !== 'none',
  };
}

/**
 * Parses <time>: the metre; `free` for senza-misura; undefined for one that has no such form. Added metres such as
 * 3+2/8, or 3/8 and 2/4, are one.
 */
export function parseTime(time: XmlElement): Metre | 'free' | undefined {
  if (childOf(time, 'senza-misura') !== undefined) return 'free';
  const metres: Metre[] = [];
  let numerator: number | undefined;
  for (const child of time.children) {
    if (child.name === 'beats') {
      numerator = child.text.split('+').reduce((sum, part) => sum + numberOf(part, child), 0);
    } else if (child.name === 'beat-type' && numerator !== undefined) {
      metres.push({ numerator, denominator: numberOf(child.text, child) });
    }
  }
  if (metres.length === 0 || metres.some((metre) => !DENOMINATORS.includes(metre.denominator))) return undefined;
  const denominator = Math.max(...metres.map((metre) => metre.denominator));
  const sum = metres.reduce((total, metre) => total + (metre.numerator * denominator) / metre.denominator, 0);
  return Number.isInteger(sum) && sum >= 1 && sum <= MAX_NUMERATOR ? { numerator: sum, denominator } : undefined;
}

/**
 * Parses <transpose>.
 *
 * @throws MusicError if it is larger than MIDI's range
 */
export function parseTranspose(transpose: XmlElement): Transposition {
  const chromatic = Math.round(numberIn(transpose, 'chromatic') ?? 0);
  const octaves = Math.round(numberIn(transpose, 'octave-change') ?? 0);
  const semitones = chromatic + 12 * octaves;
  if (Math.abs(semitones) > MAX_SEMITONES) {
    throw new MusicError(
      `line ${transpose.line}: <transpose> has ${semitones} semitones; it must have at most ${MAX_SEMITONES}`,
    );
  }
  const diatonic = numberIn(transpose, 'diatonic');
  // A fifth is 7 semitones and 4 steps of the staff. Without steps, the key with the fewest sharps or flats is meant.
  const fifths = diatonic === undefined ? nearZero(7 * chromatic) : 7 * chromatic - 12 * Math.round(diatonic);
  return { semitones, fifths };
}

/** The key that sounds where a transposing part has this key. */
export function soundingKey({ fifths, minor }: Key, transposition: Transposition): Key {
  const sounding = fifths + transposition.fifths;
  return { fifths: Math.abs(sounding) <= 7 ? sounding : nearZero(sounding), minor };
}

/** The number of sharps (−5 to 6) of the key on the same tonic. */
function nearZero(fifths: number): number {
  return ((((fifths + 5) % 12) + 12) % 12) - 5;
}
