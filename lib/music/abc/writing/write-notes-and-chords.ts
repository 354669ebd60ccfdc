/**
 * Writes the bars of one voice as ABC: inline fields, notes (`^c'2`), chords (`[CEG]2`), rests (`z2`, `Z` for a silent
 * bar), ties (`-`), tuplets (`(3`) and layers (`&`).
 *
 * @see ABC standard 2.1, §4.1 (pitch), §4.3 (note lengths), §4.5 (rests), §4.11 (ties), §4.13 (tuplets), §4.17 (chords), §7.4 (voice
 * overlay)
 */
import type { ScoreBar, ScoreVoice } from '../../model/index.ts';
import { keyText, type Spelling, spellingOf } from '../spelling.ts';
import { tupletText } from '../tuplets.ts';
import { Accidentals } from './accidentals.ts';
import type { AsciiText } from './ascii-text.ts';
import type { LayeredVoice } from './layers.ts';
import type { NumberList } from './number-list.ts';
import { COUNT_SHIFT, LENGTH_MASK, markedTuplet, NEXT_LAYER, PITCH_TIED } from './pieces.ts';

/** Drums are written as in C major in every key, so that a drum always has the same text. */
const DRUM_KEY = { fifths: 0, minor: false };

/** The inline field of each bar, empty if nothing changes. */
export interface BarFields {
  metre: string[];
  key: string[];
  tempo: string[];
}

/** The fields of each bar whose value differs from the bar before. */
export function barFields(bars: ScoreBar[]): BarFields {
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

/** Values that all voices of a tune share. */
export interface TuneContext {
  bars: ScoreBar[];
  fields: BarFields;
  /** indexed by duration, see lengthTexts */
  lengths: string[];
  /** the pieces of all voices, see layers.ts */
  pieces: NumberList;
  /** the buffer that the tune is appended to */
  text: AsciiText;
}

/** Writes the bars of one voice, in order, without their bar lines. */
export class VoiceWriter {
  readonly #drum: boolean;
  readonly #barStarts: number[];
  readonly #isFirst: boolean;
  readonly #tune: TuneContext;
  readonly #accidentals = new Accidentals();

  /** `isFirst`: whether this is the first voice of the tune, which writes the tempo changes for all voices */
  constructor(voice: ScoreVoice, layered: LayeredVoice, isFirst: boolean, tune: TuneContext) {
    this.#drum = voice.drum;
    this.#barStarts = layered.bars;
    this.#isFirst = isFirst;
    this.#tune = tune;
  }

  /** Appends bar b. Drums ignore the key, so they get K:C once and no key changes. */
  writeBar(b: number): void {
    const { bars, fields, text } = this.#tune;
    text.add(fields.metre[b]);
    if (!this.#drum) text.add(fields.key[b]);
    else if (b === 0 && bars[0].fifths !== 0) text.add('[K:C]');
    if (this.#isFirst) text.add(fields.tempo[b]);

    const from = this.#barStarts[b];
    const to = this.#barStarts[b + 1];
    if (from === to) text.add('Z');
    else this.#writePieces(from, to, spellingOf(this.#drum ? DRUM_KEY : bars[b]));
  }

  #writePieces(from: number, to: number, spelling: Spelling): void {
    const accidentals = this.#accidentals;
    const { lengths, text } = this.#tune;
    const { numbers } = this.#tune.pieces;
    accidentals.beginBar();
    for (let i = from; i < to; i++) {
      const piece = numbers[i];
      if (piece === NEXT_LAYER) {
        text.add('&');
        accidentals.beginLayer();
        continue;
      }
      if (piece < 0) {
        const tuplet = markedTuplet(piece);
        text.add(tuplet === undefined ? `[I:MIDI program ${-1 - piece}]` : tupletText(tuplet.kind, tuplet.notes));
        continue;
      }
      const count = piece >> COUNT_SHIFT;
      if (count === 0) text.add('z');
      else if (count === 1) text.add(accidentals.write(numbers[i + 1], spelling));
      else this.#writeChord(i + 1, i + 1 + count, spelling);
      i += count;
      text.add(lengths[piece & LENGTH_MASK]);
    }
  }

  /** `[CE-G]`, without its length. Its pitches are entries from…to−1 of the list. Each may have its own tie. */
  #writeChord(from: number, to: number, spelling: Spelling): void {
    const { text } = this.#tune;
    const { numbers } = this.#tune.pieces;
    text.add('[');
    for (let i = from; i < to; i++) {
      text.add(this.#accidentals.write(numbers[i] & (PITCH_TIED - 1), spelling));
      if (numbers[i] >= PITCH_TIED) text.add('-');
    }
    text.add(']');
  }
}
