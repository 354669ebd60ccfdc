/**
 * Score → ABC, in the dialect that docs/music.md describes: equal scores give equal text, and abc-parse.ts reads it back exactly.
 *
 * A header of X, M, L, Q and K; a V: for each voice where there are several, with its program or drum channel; then the bars.
 * Interleaved, a line holds one bar of all voices; voice after voice, four bars of one.
 */

import type { Score, ScoreBar, ScoreVoice } from '../model/index.ts';
import { AsciiText } from './ascii-text.ts';
import {
  COUNT_SHIFT,
  type LaidVoice,
  LENGTH_MASK,
  LONGEST_PLAIN,
  layScore,
  NEXT_LAYER,
  PITCH_TIED,
  TIED,
} from './layers.ts';
import { NumberList } from './number-list.ts';
import { keyText, POSITIONS, type Spelling, spellingOf } from './spelling.ts';

export type Layout = 'interleaved' | 'voices';

const BARS_A_LINE = 4;
/** Note lengths that L: may name, as parts of a whole note. */
const UNITS = [4, 8, 16, 32, 64];
/** Drums are written as in C major in every key, so that an instrument is always written alike. */
const DRUM_KEY = { fifths: 0, minor: false };

/** Of the score that is being written: the same memory for all. */
const pieces = new NumberList();
const text = new AsciiText();

export function writeAbc(score: Score, layout: Layout = 'interleaved'): string {
  const { bars, voices, grid } = score;
  const laid = layScore(score, pieces);
  const unit = shortestUnit(laid, grid);
  const lengths = lengthTexts((4 * grid) / unit);
  const [first] = bars;
  text.clear();
  text.add(`X:1\nM:${first.numerator}/${first.denominator}\nL:1/${unit}\nQ:1/4=${first.tempo}\nK:${keyText(first)}\n`);
  const fields = barFields(bars);
  const writers = voices.map((voice, v) => new VoiceWriter(voice, laid[v], bars, lengths, fields, v === 0));
  if (voices.length === 1) {
    text.add(voiceSettings(voices[0]));
    writeLines(writers[0], bars.length);
  } else if (layout === 'voices') {
    for (let v = 0; v < voices.length; v++) {
      text.add(`V:${v + 1}\n${voiceSettings(voices[v])}`);
      writeLines(writers[v], bars.length);
    }
  } else {
    for (let v = 0; v < voices.length; v++) text.add(`V:${v + 1}\n${voiceSettings(voices[v])}`);
    const names = voices.map((_, v) => `[V:${v + 1}]`);
    for (let b = 0; b < bars.length; b++) {
      for (let v = 0; v < voices.length; v++) {
        text.add(names[v]);
        writers[v].writeBar(b);
        text.add('|');
      }
      text.add('\n');
    }
  }
  return text.toString();
}

function voiceSettings(voice: ScoreVoice): string {
  const { program } = voice.notes[0];
  return (voice.drum ? '%%MIDI channel 10\n' : '') + (program === 0 ? '' : `%%MIDI program ${program}\n`);
}

function writeLines(writer: VoiceWriter, bars: number): void {
  for (let b = 0; b < bars; b++) {
    writer.writeBar(b);
    text.add((b + 1) % BARS_A_LINE === 0 || b === bars - 1 ? '|\n' : '|');
  }
}

/** Text of a duration under an L: whose notes without a length have `unit` steps. */
function lengthText(steps: number, unit: number): string {
  let numerator = steps;
  let denominator = unit;
  while (numerator % 2 === 0 && denominator > 1) {
    numerator /= 2;
    denominator /= 2;
  }
  const over = numerator === 1 ? '' : String(numerator);
  return denominator === 1 ? over : over + (denominator === 2 ? '/' : `/${denominator}`);
}

const lengthTables: string[][] = [];

/** What follows the pitches of a piece: by its duration, with `TIED` added where it is tied. */
function lengthTexts(unit: number): string[] {
  return (lengthTables[unit] ??= makeLengthTexts(unit));
}

function makeLengthTexts(unit: number): string[] {
  const texts = Array.from({ length: LONGEST_PLAIN + 1 }, (_, steps) => (steps === 0 ? '' : lengthText(steps, unit)));
  const table: string[] = new Array(LENGTH_MASK + 1).fill('');
  for (const [steps, text] of texts.entries()) {
    table[steps] = text;
    table[steps + TIED] = `${text}-`;
  }
  return table;
}

/** The L: under which the tune is shortest; of equals the longest. */
function shortestUnit(laid: LaidVoice[], grid: number): number {
  const counts = new Int32Array(TIED);
  const { numbers } = pieces;
  for (const { bars } of laid) {
    const end = bars[bars.length - 1];
    for (let i = bars[0]; i < end; i++) {
      if (numbers[i] <= NEXT_LAYER) continue;
      counts[numbers[i] & (TIED - 1)]++;
      i += numbers[i] >> COUNT_SHIFT;
    }
  }
  let best = UNITS[0];
  let bestSize = Number.POSITIVE_INFINITY;
  for (const unit of UNITS) {
    if (unit > 4 * grid) break;
    const lengths = lengthTexts((4 * grid) / unit);
    let size = 0;
    for (let steps = 1; steps <= LONGEST_PLAIN; steps++) size += counts[steps] * lengths[steps].length;
    if (size < bestSize) {
      bestSize = size;
      best = unit;
    }
  }
  return best;
}

/** What the inline fields of each bar say that is new: in all voices, in pitched ones, and in the first. */
interface BarFields {
  metre: string[];
  key: string[];
  tempo: string[];
}

function barFields(bars: ScoreBar[]): BarFields {
  const fields: BarFields = { metre: [''], key: [''], tempo: [''] };
  for (let b = 1; b < bars.length; b++) {
    const bar = bars[b];
    const before = bars[b - 1];
    const sameMetre = bar.numerator === before.numerator && bar.denominator === before.denominator;
    const sameKey = bar.fifths === before.fifths && bar.minor === before.minor;
    fields.metre.push(sameMetre ? '' : `[M:${bar.numerator}/${bar.denominator}]`);
    fields.key.push(sameKey ? '' : `[K:${keyText(bar)}]`);
    fields.tempo.push(bar.tempo === before.tempo ? '' : `[Q:1/4=${bar.tempo}]`);
  }
  return fields;
}

/** Writes the bars of a voice, in order, without their bar lines. */
class VoiceWriter {
  private readonly drum: boolean;
  private readonly laid: LaidVoice;
  private readonly bars: ScoreBar[];
  private readonly lengths: string[];
  private readonly fields: BarFields;
  private readonly leads: boolean;
  private readonly accidentals = new Accidentals();

  /** `leads`: it is the first of its tune, which says the tempo */
  constructor(
    voice: ScoreVoice,
    laid: LaidVoice,
    bars: ScoreBar[],
    lengths: string[],
    fields: BarFields,
    leads: boolean,
  ) {
    this.drum = voice.drum;
    this.laid = laid;
    this.bars = bars;
    this.lengths = lengths;
    this.fields = fields;
    this.leads = leads;
  }

  writeBar(b: number): void {
    const { bars, fields } = this;
    text.add(fields.metre[b]);
    if (!this.drum) text.add(fields.key[b]);
    else if (b === 0 && bars[0].fifths !== 0) text.add('[K:C]');
    if (this.leads) text.add(fields.tempo[b]);

    const from = this.laid.bars[b];
    const to = this.laid.bars[b + 1];
    if (from === to) text.add('Z');
    else this.writePieces(from, to, spellingOf(this.drum ? DRUM_KEY : bars[b]));
  }

  private writePieces(from: number, to: number, spelling: Spelling): void {
    const { accidentals, lengths } = this;
    const { numbers } = pieces;
    accidentals.newBar();
    for (let i = from; i < to; i++) {
      const piece = numbers[i];
      if (piece === NEXT_LAYER) {
        text.add('&');
        accidentals.newLayer();
        continue;
      }
      if (piece < 0) {
        text.add(`[I:MIDI program ${-1 - piece}]`);
        continue;
      }
      const count = piece >> COUNT_SHIFT;
      if (count === 0) {
        text.add('z');
      } else if (count === 1) {
        text.add(accidentals.write(numbers[++i], spelling));
      } else {
        text.add('[');
        for (const last = i + count; i < last; ) {
          const pitch = numbers[++i];
          text.add(accidentals.write(pitch & (PITCH_TIED - 1), spelling));
          if (pitch >= PITCH_TIED) text.add('-');
        }
        text.add(']');
      }
      text.add(lengths[piece & LENGTH_MASK]);
    }
  }
}

/**
 * Which accidentals are in force, under every reading that ABC software has: an accidental holds to the end of the bar for its own
 * octave or for all, and over `&` or not. A note is written without an accidental only where all readings give its pitch.
 */
class Accidentals {
  /** counts layers through the voice; and the first of this bar */
  private layer = 0;
  private bar = 0;
  /** by letter, then by staff position: the layer in which an accidental was last written, and the alteration it gave */
  private readonly letterLayer = new Int32Array(7);
  private readonly letterAlteration = new Int8Array(7);
  private readonly positionLayer = new Int32Array(POSITIONS);
  private readonly positionAlteration = new Int8Array(POSITIONS);

  newBar(): void {
    this.bar = ++this.layer;
  }

  newLayer(): void {
    this.layer++;
  }

  /** The note's text. */
  write(pitch: number, spelling: Spelling): string {
    const letter = spelling.letter[pitch];
    const wanted = spelling.alteration[pitch];
    const signed = spelling.signature[letter] === wanted;
    // Where the letter has none in this bar, no octave of it has.
    if (this.letterLayer[letter] < this.bar) {
      if (signed) return spelling.plain[pitch];
    } else if (this.agreed(spelling.position[pitch], letter, wanted, signed)) return spelling.plain[pitch];
    const position = spelling.position[pitch];
    this.letterLayer[letter] = this.positionLayer[position] = this.layer;
    this.letterAlteration[letter] = this.positionAlteration[position] = wanted;
    return spelling.marked[pitch];
  }

  /** Whether all readings give this alteration, of a letter that has had an accidental in this bar. `signed`: the signature gives it. */
  private agreed(position: number, letter: number, wanted: number, signed: boolean): boolean {
    const any = this.letterAlteration[letter] === wanted;
    if (!any || (!signed && this.letterLayer[letter] < this.layer)) return false;
    if (this.positionLayer[position] < this.bar) return signed;
    return this.positionAlteration[position] === wanted && (signed || this.positionLayer[position] === this.layer);
  }
}
