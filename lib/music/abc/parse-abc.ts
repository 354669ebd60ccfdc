/**
 * Parses ABC into a Tune: the language of standard 2.1 as people write it, and this project's dialect of it
 * (docs/music.md).
 *
 * This file reads lines, fields, directives and voices. read-notes-and-chords.ts reads the music of a line, and
 * voice-builder.ts puts the notes into bars.
 *
 * Supported: fields, inline fields, voices, directives for MIDI programs and drum channels, notes, rests, chords, ties,
 * tuplets, broken rhythm, repeats, endings, layers joined by `&`. Not supported: part orders (P:), macros, overlays of
 * several bars, microtones, chord symbols. Only the first tune of a file is read.
 *
 * @see ABC standard 2.1, §2 (file structure), §3 (fields), §7 (voices), §11 (directives)
 */

import { DEFAULT_TEMPO } from '../model/index.ts';
import { defaultUnit, parseKey, parseMetre, parseTempo, parseTranspose, parseUnit } from './abc-fields.ts';
import { MusicReader } from './read-notes-and-chords.ts';
import type { ProblemKind, Tune } from './tune.ts';
import { FIRST_SETTINGS, type Settings, VoiceBuilder } from './voice-builder.ts';

/** Largest number of problems that are recorded. */
const MAX_PROBLEMS = 1000;
const MAX_VOICES = 256;
const FIELD_LINE = /^([A-Za-z]):(?![|:])(.*)$/;
/** Lyrics, symbol lines and continued fields. */
const SILENT_LINE = /^[ws+]:/;

/**
 * Parses the first tune of a text. Never throws: anything unreadable is skipped and listed in `problems`.
 *
 * @example parseAbc('X:1\nL:1/4\nK:C\nCDEF|\n').voices[0].bars[0].layers[0].notes.length // 4
 */
export function parseAbc(text: string): Tune {
  return new AbcParser().parse(text);
}

class AbcParser {
  readonly #tune: Tune = { fields: [], voices: [], microsecondsPerBeat: DEFAULT_TEMPO, problems: [] };
  readonly #reader: MusicReader;
  readonly #voices = new Map<string, VoiceBuilder>();
  /** the settings and MIDI program that a new voice begins with */
  #settings: Settings = { ...FIRST_SETTINGS };
  #program = 0;
  #drum = false;
  #inHeader = true;

  constructor() {
    this.#reader = new MusicReader(
      (letter, value, column, endColumn) => this.#field(letter, value, column, endColumn),
      (line, column, kind, message) => this.#problem(line, column, kind, message),
    );
    // Notes before the first V: belong to a voice without a name. It becomes part of the tune only if it has notes.
    this.#reader.voice = this.#voiceNamed('');
  }

  parse(text: string): Tune {
    const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
    let begun = false;
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('X:')) {
        if (begun) break;
        begun = true;
      }
      this.#reader.moveTo(index + 1, line);
      this.#line(line);
    }
    if (!begun) this.#problem(1, 1, 'header', 'there is no X: field to begin the tune');
    if (this.#inHeader) this.#problem(lines.length, 1, 'header', 'there is no K: field to end the header');
    for (const builder of this.#voices.values()) builder.closeBar();
    this.#tune.voices = [...this.#voices.values()]
      .map((builder) => builder.result)
      .filter(({ bars }) => bars.length > 0);
    return this.#tune;
  }

  #line(line: string): void {
    if (line.startsWith('%%')) {
      this.#directive(line.slice(2));
      return;
    }
    if (line.startsWith('%') || line.trim() === '' || SILENT_LINE.test(line)) return;
    const field = FIELD_LINE.exec(line);
    if (field !== null) {
      this.#field(field[1], field[2].replace(/(^|[^\\])%.*$/, '$1').trim(), 1, line.length + 1);
      return;
    }
    if (this.#inHeader) {
      // Text before the first field of a file is allowed; music before K: is not.
      if (this.#tune.fields.length === 0) return;
      this.#reader.problem('header', 'music before the K: field that ends the header');
      this.#endHeader();
    }
    this.#reader.read();
  }

  #field(letter: string, value: string, column: number, endColumn: number): void {
    const { line } = this.#reader;
    const invalid = (message: string) => this.#problem(line, column, 'header', message);
    this.#tune.fields.push({ letter, value, line, column, endColumn });
    switch (letter) {
      case 'K': {
        const field = parseKey(value);
        if (field === undefined) invalid(`K:${value} is not a key`);
        if (field?.key !== undefined) this.#set({ key: field.key, alterations: field.alterations });
        if (field?.transpose !== undefined) this.#set({ transpose: field.transpose });
        if (this.#inHeader) this.#endHeader();
        break;
      }
      case 'M': {
        const metre = parseMetre(value);
        if (metre === undefined) invalid(`M:${value} is not a metre`);
        else this.#set({ metre: metre === 'free' ? undefined : metre });
        if (this.#inHeader && !this.#settings.unitGiven) this.#settings.unit = defaultUnit(this.#settings.metre);
        break;
      }
      case 'L': {
        const unit = parseUnit(value);
        if (unit === undefined) invalid(`L:${value} is not a note length`);
        else this.#set({ unit, unitGiven: true });
        break;
      }
      case 'Q': {
        const tempo = parseTempo(value, this.#inHeader ? this.#settings.unit : this.#reader.voice.settings.unit);
        if (tempo === undefined) invalid(`Q:${value} is not a tempo`);
        else if (tempo > 0) this.#tempo(tempo);
        break;
      }
      case 'V': {
        // Most V: fields only switch to a known voice: in the interleaved layout, at every bar of every voice.
        const known = value === '' ? undefined : this.#voices.get(value);
        if (known !== undefined) {
          if (!this.#inHeader) this.#reader.voice = known;
          break;
        }
        const id = /^\S+/.exec(value)?.[0];
        if (id === undefined) invalid('V: without the name of a voice');
        else if (this.#voices.size >= MAX_VOICES && !this.#voices.has(id)) invalid(`more than ${MAX_VOICES} voices`);
        else this.#enterVoice(id, value);
        break;
      }
      case 'I':
        if (/^MIDI\b/.test(value)) this.#directive(value.replace(/^MIDI\s*=?\s*/, 'MIDI '));
        break;
    }
  }

  /**
   * Applies the settings of a field. In the header, and until a voice has begun, they apply to all voices; afterwards
   * to the current voice.
   */
  #set(settings: Partial<Settings>): void {
    const { voice } = this.#reader;
    if (this.#inHeader || (voice.result.id === '' && voice.empty)) this.#settings = { ...this.#settings, ...settings };
    if (!this.#inHeader) voice.set(settings);
  }

  #tempo(microsecondsPerBeat: number): void {
    if ([...this.#voices.values()].every((voice) => voice.empty)) this.#tune.microsecondsPerBeat = microsecondsPerBeat;
    else this.#reader.voice.change({ microsecondsPerBeat });
  }

  /** Reads a directive, without its `%%`. */
  #directive(text: string): void {
    const accidentals = /^propagate-accidentals\s+(not|octave|pitch)\b/.exec(text);
    if (accidentals !== null) this.#set({ accidentals: accidentals[1] as Settings['accidentals'] });
    const midi = /^MIDI\s+(program|channel|transpose)\s+(-?\d+)(?:\s+(\d+))?/.exec(text);
    if (midi === null) return;
    const [, name, first, second] = midi;
    if (name === 'transpose') {
      if (Math.abs(Number(first)) <= 127) this.#set({ transpose: Number(first) });
    } else if (name === 'channel') {
      if (this.#inHeader) this.#drum = first === '10';
      else this.#reader.voice.result.drum = first === '10';
    } else this.#setProgram(Number(second ?? first));
  }

  #setProgram(program: number): void {
    const { voice } = this.#reader;
    if (program < 0 || program > 127) this.#reader.problem('range', `program ${program} is not one of MIDI's 0–127`);
    else if (this.#inHeader) this.#program = program;
    else if (voice.empty) voice.result.program = program;
    else voice.change({ program });
  }

  /** Applies the header's settings to the voices that it declares. */
  #endHeader(): void {
    this.#inHeader = false;
    for (const builder of this.#voices.values()) {
      builder.settings = { ...this.#settings, transpose: this.#settings.transpose + builder.settings.transpose };
      Object.assign(builder.result, { program: this.#program, drum: this.#drum });
    }
  }

  #enterVoice(id: string, value: string): void {
    const builder = this.#voiceNamed(id);
    const transpose = parseTranspose(value.replace(/\bclef=/, ' '));
    if (transpose !== undefined) {
      builder.settings = {
        ...builder.settings,
        transpose: (this.#inHeader ? 0 : this.#settings.transpose) + transpose,
      };
    }
    if (!this.#inHeader) this.#reader.voice = builder;
  }

  #voiceNamed(id: string): VoiceBuilder {
    let builder = this.#voices.get(id);
    if (builder === undefined) {
      builder = new VoiceBuilder(id, this.#inHeader ? FIRST_SETTINGS : this.#settings, this.#reader);
      Object.assign(builder.result, { program: this.#program, drum: this.#drum });
      this.#voices.set(id, builder);
    }
    return builder;
  }

  #problem(line: number, column: number, kind: ProblemKind, message: string): void {
    const { problems } = this.#tune;
    const last = problems.at(-1);
    const isDuplicate = last !== undefined && last.line === line && last.column === column && last.kind === kind;
    if (problems.length < MAX_PROBLEMS && !isDuplicate) problems.push({ line, column, message, kind });
  }
}
