/**
 * Writes a score as ABC, in the dialect of docs/music.md. Equal scores give equal text, and parse-abc.ts reads it back
 * exactly.
 *
 * A tune has a header of X, M, L, Q and K. If there are several voices, a V: field for each follows, with its program
 * or drum channel. Then come the bars. In the interleaved layout, a line holds one bar of all voices. In the other
 * layout, it holds four bars of one voice.
 */
import { type Score, type ScoreVoice, UNITS_PER_STEP } from '../../model/index.ts';
import { keyText } from '../spelling.ts';
import { AsciiText } from './ascii-text.ts';
import { layerScore } from './layers.ts';
import { lengthTexts, shortestUnit } from './note-lengths.ts';
import { NumberList } from './number-list.ts';
import { barFields, type TuneContext, VoiceWriter } from './write-notes-and-chords.ts';

/** Order of the bars in the text: all voices of one bar together, or all bars of one voice together. */
export type Layout = 'interleaved' | 'voices';

const BARS_PER_LINE = 4;

/** Writes tunes one after another into the same buffers. */
class AbcWriter {
  readonly #pieces = new NumberList();
  readonly #text = new AsciiText();

  write(score: Score, layout: Layout): string {
    const { bars, voices } = score;
    const grid = score.unitsPerBeat / UNITS_PER_STEP;
    const pieces = this.#pieces;
    const text = this.#text;
    text.clear();
    const layered = layerScore(score, pieces);
    const unit = shortestUnit(layered, pieces, grid);
    const [first] = bars;
    const metre = `${first.numerator}/${first.denominator}`;
    text.add(`X:1\nM:${metre}\nL:1/${unit}\nQ:1/4=${first.tempo}\nK:${keyText(first)}\n`);
    const tune: TuneContext = { bars, fields: barFields(bars), lengths: lengthTexts((4 * grid) / unit), pieces, text };
    const writers = voices.map((voice, v) => new VoiceWriter(voice, layered[v], v === 0, tune));
    if (voices.length === 1) {
      text.add(voiceSettings(voices[0]));
      this.#writeLines(writers[0], bars.length);
    } else if (layout === 'voices') {
      for (let v = 0; v < voices.length; v++) {
        text.add(`V:${v + 1}\n${voiceSettings(voices[v])}`);
        this.#writeLines(writers[v], bars.length);
      }
    } else {
      for (let v = 0; v < voices.length; v++) text.add(`V:${v + 1}\n${voiceSettings(voices[v])}`);
      this.#writeInterleaved(writers, bars.length);
    }
    return text.toString();
  }

  /** Writes the bars of one voice, several on a line. */
  #writeLines(writer: VoiceWriter, bars: number): void {
    for (let b = 0; b < bars; b++) {
      writer.writeBar(b);
      this.#text.add((b + 1) % BARS_PER_LINE === 0 || b === bars - 1 ? '|\n' : '|');
    }
  }

  /** Writes one bar of all voices on each line. */
  #writeInterleaved(writers: VoiceWriter[], bars: number): void {
    const text = this.#text;
    const voiceFields = writers.map((_, v) => `[V:${v + 1}]`);
    for (let b = 0; b < bars; b++) {
      for (let v = 0; v < writers.length; v++) {
        text.add(voiceFields[v]);
        writers[v].writeBar(b);
        text.add('|');
      }
      text.add('\n');
    }
  }
}

/** The directives after a voice's V: field. */
function voiceSettings(voice: ScoreVoice): string {
  const { program } = voice.notes[0];
  return (voice.drum ? '%%MIDI channel 10\n' : '') + (program === 0 ? '' : `%%MIDI program ${program}\n`);
}

/** The writer of all tunes. It reuses its buffers, because new ones would not be in the processor's cache. */
const WRITER = new AbcWriter();

/**
 * Writes a score as ABC.
 *
 * @param score has at least one voice, and each voice at least one note
 * @throws MusicError if more notes sound at once in a voice than a chord may have
 * @example writeAbc(midiToScore(bytes).score, 'voices')
 */
export function writeAbc(score: Score, layout: Layout = 'interleaved'): string {
  return WRITER.write(score, layout);
}
