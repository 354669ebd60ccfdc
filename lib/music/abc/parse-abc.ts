/**
 * ABC text → Tune: the language of standard 2.1 as people write it, and our own dialect in particular. The first tune of a file only.
 *
 * Here are lines, fields and voices; abc-music.ts reads the notes, voice-builder.ts puts them into bars. Read are fields, directives
 * for MIDI programs and drum channels, notes, rests, chords, ties, tuplets, broken rhythm, repeats, endings, `&` layers, voices and
 * inline fields. Not played are part orders (P:), macros, overlays of several bars, microtones and chord symbols.
 *
 * Never throws: what cannot be read is passed over and noted in `problems`.
 */

import { DEFAULT_TEMPO } from '../model/index.ts';
import { defaultUnit, parseKey, parseMetre, parseTempo, parseTranspose, parseUnit } from './abc-fields.ts';
import { MusicReader } from './music-code.ts';
import type { ProblemKind, Tune } from './tune.ts';
import { FIRST_SETTINGS, type Settings, VoiceBuilder } from './voice-builder.ts';

const MOST_PROBLEMS = 1000;
const MOST_VOICES = 256;
const FIELD_LINE = /^([A-Za-z]):(?![|:])(.*)$/;
/** Lyrics, symbols and continued fields. */
const SILENT_LINE = /^[ws+]:/;

export function parseAbc(text: string): Tune {
  return new AbcParser().parse(text);
}

class AbcParser {
  private readonly tune: Tune = { fields: [], voices: [], microsecondsPerBeat: DEFAULT_TEMPO, problems: [] };
  private readonly reader: MusicReader;
  private readonly voices = new Map<string, VoiceBuilder>();
  /** what a voice begins with */
  private settings: Settings = { ...FIRST_SETTINGS };
  private program = 0;
  private drum = false;
  private inHeader = true;

  constructor() {
    this.reader = new MusicReader(
      (letter, value, column, endColumn) => this.field(letter, value, column, endColumn),
      (line, column, kind, message) => this.problem(line, column, kind, message),
    );
    // Notes before the first V: are a voice without a name; it is listed only if there are any.
    this.reader.voice = this.voiceNamed('');
  }

  parse(text: string): Tune {
    const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
    let begun = false;
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('X:')) {
        if (begun) break;
        begun = true;
      }
      this.reader.moveTo(index + 1, line);
      this.line(line);
    }
    if (!begun) this.problem(1, 1, 'header', 'there is no X: field to begin the tune');
    if (this.inHeader) this.problem(lines.length, 1, 'header', 'there is no K: field to end the header');
    for (const builder of this.voices.values()) builder.closeBar();
    this.tune.voices = [...this.voices.values()].map((builder) => builder.result).filter(({ bars }) => bars.length > 0);
    return this.tune;
  }

  private line(line: string): void {
    if (line.startsWith('%%')) {
      this.directive(line.slice(2));
      return;
    }
    if (line.startsWith('%') || line.trim() === '' || SILENT_LINE.test(line)) return;
    const field = FIELD_LINE.exec(line);
    if (field !== null) {
      this.field(field[1], field[2].replace(/(^|[^\\])%.*$/, '$1').trim(), 1, line.length + 1);
      return;
    }
    if (this.inHeader) {
      // Text before the first field of a file is allowed; music before K: is not.
      if (this.tune.fields.length === 0) return;
      this.reader.problem('header', 'music before the K: field that ends the header');
      this.endHeader();
    }
    this.reader.read();
  }

  private field(letter: string, value: string, column: number, endColumn: number): void {
    const { line } = this.reader;
    const wrong = (message: string) => this.problem(line, column, 'header', message);
    this.tune.fields.push({ letter, value, line, column, endColumn });
    switch (letter) {
      case 'K': {
        const field = parseKey(value);
        if (field === undefined) wrong(`K:${value} is no key`);
        if (field?.key !== undefined) this.set({ key: field.key, alterations: field.alterations });
        if (field?.transpose !== undefined) this.set({ transpose: field.transpose });
        if (this.inHeader) this.endHeader();
        break;
      }
      case 'M': {
        const metre = parseMetre(value);
        if (metre === undefined) wrong(`M:${value} is no metre`);
        else this.set({ metre: metre === 'free' ? undefined : metre });
        if (this.inHeader && !this.settings.unitGiven) this.settings.unit = defaultUnit(this.settings.metre);
        break;
      }
      case 'L': {
        const unit = parseUnit(value);
        if (unit === undefined) wrong(`L:${value} is no note length`);
        else this.set({ unit, unitGiven: true });
        break;
      }
      case 'Q': {
        const tempo = parseTempo(value, this.inHeader ? this.settings.unit : this.reader.voice.settings.unit);
        if (tempo === undefined) wrong(`Q:${value} is no tempo`);
        else if (tempo > 0) this.tempo(tempo);
        break;
      }
      case 'V': {
        // Most say only which voice goes on: each bar of each voice, where they are interleaved.
        const known = value === '' ? undefined : this.voices.get(value);
        if (known !== undefined) {
          if (!this.inHeader) this.reader.voice = known;
          break;
        }
        const id = /^\S+/.exec(value)?.[0];
        if (id === undefined) wrong('V: names no voice');
        else if (this.voices.size >= MOST_VOICES && !this.voices.has(id)) wrong(`more than ${MOST_VOICES} voices`);
        else this.enterVoice(id, value);
        break;
      }
      case 'I':
        if (/^MIDI\b/.test(value)) this.directive(value.replace(/^MIDI\s*=?\s*/, 'MIDI '));
        break;
    }
  }

  /** In the header, and as long as no voice has begun, a field is for all voices; afterwards for the one that is written to. */
  private set(settings: Partial<Settings>): void {
    const { voice } = this.reader;
    if (this.inHeader || (voice.result.id === '' && voice.empty)) this.settings = { ...this.settings, ...settings };
    if (!this.inHeader) voice.set(settings);
  }

  private tempo(microsecondsPerBeat: number): void {
    if ([...this.voices.values()].every((voice) => voice.empty)) this.tune.microsecondsPerBeat = microsecondsPerBeat;
    else this.reader.voice.change({ microsecondsPerBeat });
  }

  /** `%%…`, without the signs. */
  private directive(text: string): void {
    const accidentals = /^propagate-accidentals\s+(not|octave|pitch)\b/.exec(text);
    if (accidentals !== null) this.set({ accidentals: accidentals[1] as Settings['accidentals'] });
    const midi = /^MIDI\s+(program|channel|transpose)\s+(-?\d+)(?:\s+(\d+))?/.exec(text);
    if (midi === null) return;
    const [, name, first, second] = midi;
    if (name === 'transpose') {
      if (Math.abs(Number(first)) <= 127) this.set({ transpose: Number(first) });
    } else if (name === 'channel') {
      if (this.inHeader) this.drum = first === '10';
      else this.reader.voice.result.drum = first === '10';
    } else this.setProgram(Number(second ?? first));
  }

  private setProgram(program: number): void {
    const { voice } = this.reader;
    if (program < 0 || program > 127) this.reader.problem('range', `program ${program} is not one of MIDI's 0–127`);
    else if (this.inHeader) this.program = program;
    else if (voice.empty) voice.result.program = program;
    else voice.change({ program });
  }

  /** Gives the voices that the header names what the rest of it says. */
  private endHeader(): void {
    this.inHeader = false;
    for (const builder of this.voices.values()) {
      builder.settings = { ...this.settings, transpose: this.settings.transpose + builder.settings.transpose };
      Object.assign(builder.result, { program: this.program, drum: this.drum });
    }
  }

  private enterVoice(id: string, value: string): void {
    const builder = this.voiceNamed(id);
    const transpose = parseTranspose(value.replace(/\bclef=/, ' '));
    if (transpose !== undefined) {
      builder.settings = { ...builder.settings, transpose: (this.inHeader ? 0 : this.settings.transpose) + transpose };
    }
    if (!this.inHeader) this.reader.voice = builder;
  }

  private voiceNamed(id: string): VoiceBuilder {
    let builder = this.voices.get(id);
    if (builder === undefined) {
      builder = new VoiceBuilder(id, this.inHeader ? FIRST_SETTINGS : this.settings, this.reader);
      Object.assign(builder.result, { program: this.program, drum: this.drum });
      this.voices.set(id, builder);
    }
    return builder;
  }

  private problem(line: number, column: number, kind: ProblemKind, message: string): void {
    const { problems } = this.tune;
    const last = problems.at(-1);
    const twice = last !== undefined && last.line === line && last.column === column && last.kind === kind;
    if (problems.length < MOST_PROBLEMS && !twice) problems.push({ line, column, message, kind });
  }
}
