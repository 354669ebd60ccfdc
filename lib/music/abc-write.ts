/**
 * Score → ABC, in the dialect that docs/music.md describes: equal scores give equal text, and abc-parse.ts reads it back exactly.
 *
 * A header of X, M, L, Q and K; a V: for each voice where there are several, with its program or drum channel; then the bars.
 * Interleaved, a line holds one bar of all voices; voice after voice, four bars of one.
 */
import { AsciiText } from './ascii-text.ts';
import { type BarLayers, LONGEST_PLAIN, layScore, type Piece } from './layers.ts';
import type { Score, ScoreBar, ScoreVoice } from './score.ts';
import { accidentalText, keyText, POSITION_TEXT, POSITIONS, type Spelling, spellingOf } from './spelling.ts';

export type Layout = 'interleaved' | 'voices';

const BARS_A_LINE = 4;
/** Note lengths that L: may name, as parts of a whole note. */
const UNITS = [4, 8, 16, 32, 64];
/** Drums are written as in C major in every key, so that an instrument is always written alike. */
const DRUM_KEY = { fifths: 0, minor: false };

export function writeAbc(score: Score, layout: Layout = 'interleaved'): string {
  const { bars, voices, grid } = score;
  const laid = layScore(score);
  const unit = shortestUnit(laid, grid);
  const lengths = new LengthTexts((4 * grid) / unit);
  const [first] = bars;
  const text = new AsciiText();
  text.add(`X:1\nM:${first.numerator}/${first.denominator}\nL:1/${unit}\nQ:1/4=${first.tempo}\nK:${keyText(first)}\n`);
  const fields = barFields(bars);
  const writers = voices.map((voice, v) => new VoiceWriter(voice, laid[v], bars, lengths, fields, v === 0));
  if (voices.length === 1) {
    text.add(voiceSettings(voices[0]));
    writeLines(writers[0], bars.length, text);
  } else if (layout === 'voices') {
    for (let v = 0; v < voices.length; v++) {
      text.add(`V:${v + 1}\n${voiceSettings(voices[v])}`);
      writeLines(writers[v], bars.length, text);
    }
  } else {
    for (let v = 0; v < voices.length; v++) text.add(`V:${v + 1}\n${voiceSettings(voices[v])}`);
    const names = voices.map((_, v) => `[V:${v + 1}]`);
    for (let b = 0; b < bars.length; b++) {
      for (let v = 0; v < voices.length; v++) {
        text.add(names[v]);
        writers[v].writeBar(b, text);
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

function writeLines(writer: VoiceWriter, bars: number, text: AsciiText): void {
  for (let b = 0; b < bars; b++) {
    writer.writeBar(b, text);
    text.add((b + 1) % BARS_A_LINE === 0 || b === bars - 1 ? '|\n' : '|');
  }
}

/** Text of a duration under one L:. */
class LengthTexts {
  private readonly texts: string[] = [];
  /** steps that a note without a length has */
  private readonly unit: number;

  constructor(unit: number) {
    this.unit = unit;
  }

  of(steps: number): string {
    return (this.texts[steps] ??= this.make(steps));
  }

  private make(steps: number): string {
    let numerator = steps;
    let denominator = this.unit;
    while (numerator % 2 === 0 && denominator > 1) {
      numerator /= 2;
      denominator /= 2;
    }
    const over = numerator === 1 ? '' : String(numerator);
    return denominator === 1 ? over : over + (denominator === 2 ? '/' : `/${denominator}`);
  }
}

/** The L: under which the tune is shortest; of equals the longest. */
function shortestUnit(laid: BarLayers[][], grid: number): number {
  const counts = new Int32Array(LONGEST_PLAIN + 1);
  for (const voice of laid) {
    for (const bar of voice) for (const layer of bar) for (const piece of layer) counts[piece.duration]++;
  }
  let best = UNITS[0];
  let bestSize = Number.POSITIVE_INFINITY;
  for (const unit of UNITS) {
    if (unit > 4 * grid) break;
    const lengths = new LengthTexts((4 * grid) / unit);
    let size = 0;
    counts.forEach((count, duration) => {
      if (count > 0) size += count * lengths.of(duration).length;
    });
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
  private readonly laid: BarLayers[];
  private readonly bars: ScoreBar[];
  private readonly lengths: LengthTexts;
  private readonly fields: BarFields;
  private readonly leads: boolean;
  private readonly accidentals = new Accidentals();

  /** `leads`: it is the first of its tune, which says the tempo */
  constructor(
    voice: ScoreVoice,
    laid: BarLayers[],
    bars: ScoreBar[],
    lengths: LengthTexts,
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

  writeBar(b: number, text: AsciiText): void {
    const { bars, fields, accidentals } = this;
    text.add(fields.metre[b]);
    if (!this.drum) text.add(fields.key[b]);
    else if (b === 0 && bars[0].fifths !== 0) text.add('[K:C]');
    if (this.leads) text.add(fields.tempo[b]);

    const layers = this.laid[b];
    if (layers.length === 0) {
      text.add('Z');
      return;
    }
    const spelling = spellingOf(this.drum ? DRUM_KEY : bars[b]);
    accidentals.newBar();
    for (let k = 0; k < layers.length; k++) {
      if (k > 0) {
        text.add('&');
        accidentals.newLayer();
      }
      this.writeLayer(layers[k], spelling, text);
    }
  }

  private writeLayer(pieces: Piece[], spelling: Spelling, text: AsciiText): void {
    const { accidentals, lengths } = this;
    for (let i = 0; i < pieces.length; i++) {
      const { pitches, duration, tied, program } = pieces[i];
      if (program >= 0) text.add(`[I:MIDI program ${program}]`);
      if (pitches.length === 0) {
        text.add('z');
      } else if (pitches.length === 1) {
        accidentals.write(pitches[0], spelling, text);
      } else {
        text.add('[');
        for (let p = 0; p < pitches.length; p++) {
          accidentals.write(pitches[p], spelling, text);
          if (typeof tied !== 'boolean' && tied[p]) text.add('-');
        }
        text.add(']');
      }
      text.add(lengths.of(duration));
      if (tied === true) text.add('-');
    }
  }
}

/**
 * Which accidentals are in force, under every reading that ABC software has: an accidental holds to the end of the bar for its own
 * octave or for all, and over `&` or not. A note is written without an accidental only where all readings give its pitch.
 */
class Accidentals {
  private bar = 0;
  private layer = 0;
  /** by staff position and by letter: alteration last written, and in which bar and layer */
  private readonly alteration = new Int8Array(POSITIONS);
  private readonly letterAlteration = new Int8Array(7);
  private readonly barOf = new Int32Array(POSITIONS);
  private readonly letterBarOf = new Int32Array(7);
  private readonly layerOf = new Int32Array(POSITIONS);
  private readonly letterLayerOf = new Int32Array(7);

  newBar(): void {
    this.bar++;
    this.layer++;
  }

  newLayer(): void {
    this.layer++;
  }

  write(pitch: number, spelling: Spelling, text: AsciiText): void {
    const position = spelling.position[pitch];
    const wanted = spelling.alteration[pitch];
    const letter = position % 7;
    const plain = spelling.signature[letter];
    const own = this.barOf[position] === this.bar;
    const any = this.letterBarOf[letter] === this.bar;
    const agreed =
      (own ? this.alteration[position] : plain) === wanted &&
      (any ? this.letterAlteration[letter] : plain) === wanted &&
      (own && this.layerOf[position] === this.layer ? this.alteration[position] : plain) === wanted &&
      (any && this.letterLayerOf[letter] === this.layer ? this.letterAlteration[letter] : plain) === wanted;
    if (agreed) {
      text.add(POSITION_TEXT[position]);
      return;
    }
    this.alteration[position] = this.letterAlteration[letter] = wanted;
    this.barOf[position] = this.letterBarOf[letter] = this.bar;
    this.layerOf[position] = this.letterLayerOf[letter] = this.layer;
    text.add(accidentalText(wanted));
    text.add(POSITION_TEXT[position]);
  }
}
