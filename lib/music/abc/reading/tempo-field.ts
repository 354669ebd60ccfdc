/**
 * Parses the value of Q:. Besides the tempos of the standard, people write `ca. 90`, `80-90` and words without quotes.
 * Where such a value clearly has a number, that number is the tempo; of a range, it is the first, as in abc2midi.
 *
 * @see ABC standard 2.1, §3.1.8 (Q)
 */
import { WHOLE } from '../tune.ts';

/** The value of a Q: field. */
export interface TempoField {
  /** microseconds of a quarter note; undefined if the field has none, or none that can be read */
  microsecondsPerBeat?: number;
  /** what was passed over, if the value is not one of the standard */
  remark?: string;
}

/** `1/4`, `1/4 1/8`, `C`, `C3`. */
const BEAT = String.raw`\d+\s*/\s*\d+(?:\s+\d+\s*/\s*\d+)*|C\d*`;
/** The tempos of the standard: `1/4=120`, `1/4 1/8=60`, `C3=40`, `120`. */
const STANDARD = new RegExp(String.raw`^(?:(${BEAT})\s*=)?\s*(\d+(?:\.\d+)?)$`);
/** A number that can be a tempo among words: 20 to 999, and neither a part of a fraction nor a beat. */
const NUMBER = String.raw`((?:[2-9]\d|[1-9]\d\d)(?:\.\d+)?)(?!\d|\s*[/=])`;
/** `Allegro 1/4=120`, `1/4=ca. 90`, `1/4=80-90`, `1/4=120 or so`, `1/4 90`. */
const BEAT_AMONG_WORDS = new RegExp(String.raw`^\D*?(${BEAT})(?:\s*[=:][^\d/]*|\s+)${NUMBER}`);
/** `Allegro 120`, `ca. 90`, `80-90`, `120 bpm`. */
const NUMBER_AMONG_WORDS = new RegExp(String.raw`^[^\d/]*${NUMBER}`);
/** Tempos among words are shorter. The limit keeps a search in a long text from taking long. */
const MAX_LENGTH = 100;

/**
 * Parses Q: `1/4=120`, `"Allegro" 3/8=96`, `1/4 1/8=60`, `C3=40`, `120` (units a minute), and such values among words.
 *
 * @param unit the unit length in ticks
 * @example parseTempo('1/4=ca. 90', WHOLE / 8).microsecondsPerBeat // 666667
 */
export function parseTempo(value: string, unit: number): TempoField {
  const text = value.replace(/"[^"]*"/g, ' ').trim();
  if (text === '') return {};
  const standard = STANDARD.exec(text);
  if (standard !== null) {
    const microsecondsPerBeat = tempoOf(standard[1], standard[2], unit);
    if (microsecondsPerBeat !== undefined) return { microsecondsPerBeat };
  }
  const quoted = `"Q:${value.replaceAll('"', '').slice(0, MAX_LENGTH)}"`;
  if (standard === null && text.length <= MAX_LENGTH) {
    const [, beat, number] = BEAT_AMONG_WORDS.exec(text) ?? [];
    const perMinute = number ?? NUMBER_AMONG_WORDS.exec(text)?.[1];
    const microsecondsPerBeat = perMinute === undefined ? undefined : tempoOf(beat, perMinute, unit);
    if (microsecondsPerBeat !== undefined)
      return { microsecondsPerBeat, remark: `the tempo ${quoted} is read as ${perMinute} a minute` };
  }
  return { remark: `the tempo ${quoted} cannot be read, passed over` };
}

/** @returns microseconds per quarter note; undefined if no tempo is that slow or fast */
function tempoOf(beat: string | undefined, perMinute: string, unit: number): number | undefined {
  const quarters = (Number(perMinute) * beatOf(beat, unit) * 4) / WHOLE;
  return quarters >= 1 && quarters <= 10_000 ? Math.round(60e6 / quarters) : undefined;
}

/** The duration of a beat in ticks. Without a beat, and for `C`, it is the unit length. */
function beatOf(beat: string | undefined, unit: number): number {
  if (beat === undefined) return unit;
  if (beat.startsWith('C')) return unit * Number(beat.slice(1) || 1);
  let sum = 0;
  for (const [, numerator, denominator] of beat.matchAll(/(\d+)\s*\/\s*(\d+)/g))
    sum += (WHOLE * Number(numerator)) / Number(denominator);
  return sum;
}
