/**
 * Score → ABC, in the dialect that docs/music.md describes: equal scores give equal text, and abc-parse.ts reads it back exactly.
 *
 * A header of X, M, L, Q and K; a V: for each voice where there are several, with its program or drum channel; then the bars.
 * Interleaved, a line holds one bar of all voices; voice after voice, four bars of one.
 */
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
  let text = `X:1\nM:${first.numerator}/${first.denominator}\nL:1/${unit}\nQ:1/4=${first.tempo}\nK:${keyText(first)}\n`;
  const fields = barFields(bars);
  const written = voices.map((voice, v) => writeVoice(voice, laid[v], bars, lengths, fields, v === 0));
  if (voices.length === 1) {
    return text + voiceSettings(voices[0]) + lines(written[0]);
  }
  if (layout === 'voices') {
    for (let v = 0; v < voices.length; v++) text += `V:${v + 1}\n${voiceSettings(voices[v])}${lines(written[v])}`;
    return text;
  }
  for (let v = 0; v < voices.length; v++) text += `V:${v + 1}\n${voiceSettings(voices[v])}`;
  for (let b = 0; b < bars.length; b++) {
    for (let v = 0; v < voices.length; v++) text += `[V:${v + 1}]${written[v][b]}|`;
    text += '\n';
  }
  return text;
}

function voiceSettings(voice: ScoreVoice): string {
  const { program } = voice.notes[0];
  return (voice.drum ? '%%MIDI channel 10\n' : '') + (program === 0 ? '' : `%%MIDI program ${program}\n`);
}

function lines(bars: string[]): string {
  let text = '';
  for (let b = 0; b < bars.length; b += BARS_A_LINE) text += `${bars.slice(b, b + BARS_A_LINE).join('|')}|\n`;
  return text;
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

/** The text of each bar of a voice, without its bar line. */
function writeVoice(
  voice: ScoreVoice,
  laid: BarLayers[],
  bars: ScoreBar[],
  lengths: LengthTexts,
  fields: BarFields,
  leads: boolean,
): string[] {
  const texts: string[] = new Array(bars.length);
  const accidentals = new Accidentals();
  for (let b = 0; b < bars.length; b++) {
    let text = fields.metre[b];
    if (!voice.drum) text += fields.key[b];
    else if (b === 0 && bars[0].fifths !== 0) text += '[K:C]';
    if (leads) text += fields.tempo[b];

    const layers = laid[b];
    if (layers.length === 0) {
      texts[b] = `${text}Z`;
      continue;
    }
    const spelling = spellingOf(voice.drum ? DRUM_KEY : bars[b]);
    accidentals.newBar();
    for (let k = 0; k < layers.length; k++) {
      if (k > 0) {
        text += '&';
        accidentals.newLayer();
      }
      text += writeLayer(layers[k], spelling, accidentals, lengths);
    }
    texts[b] = text;
  }
  return texts;
}

function writeLayer(pieces: Piece[], spelling: Spelling, accidentals: Accidentals, lengths: LengthTexts): string {
  let text = '';
  for (let i = 0; i < pieces.length; i++) {
    const { pitches, duration, tied, program } = pieces[i];
    if (program >= 0) text += `[I:MIDI program ${program}]`;
    if (pitches.length === 0) {
      text += 'z';
    } else if (pitches.length === 1) {
      text += accidentals.write(pitches[0], spelling);
    } else {
      text += '[';
      for (let p = 0; p < pitches.length; p++) {
        text += accidentals.write(pitches[p], spelling);
        if (typeof tied !== 'boolean' && tied[p]) text += '-';
      }
      text += ']';
    }
    text += lengths.of(duration);
    if (tied === true) text += '-';
  }
  return text;
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

  write(pitch: number, spelling: Spelling): string {
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
    if (agreed) return POSITION_TEXT[position];
    this.alteration[position] = this.letterAlteration[letter] = wanted;
    this.barOf[position] = this.letterBarOf[letter] = this.bar;
    this.layerOf[position] = this.letterLayerOf[letter] = this.layer;
    return accidentalText(wanted) + POSITION_TEXT[position];
  }
}
