/**
 * Parses ABC into a Tune: the language of standard 2.1 as people write it, and this project's dialect of it
 * (docs/music.md).
 *
 * This file reads lines, fields, directives and voices. lines.ts tells music from other lines, read-notes-and-chords.ts
 * reads the music of a line, and voice-builder.ts puts the notes into bars.
 *
 * Supported: fields, inline fields, voices, part orders, macros, directives for MIDI programs, drum channels and drum
 * maps, notes, rests, chords, ties, tuplets, broken rhythm, repeats, endings, layers joined by `&`. Not supported:
 * microtones, jumps, chord symbols. Only the first tune of a file is read.
 *
 * @see ABC standard 2.1, §2 (file structure), §3 (fields), §4.16 (U:), §7 (voices), §9 (macros), §11 (directives)
 */

import { DEFAULT_TEMPO } from '../../model/index.ts';
import type { ProblemKind, Tune } from '../tune.ts';
import { defaultUnit, parseMetre, parsePartOrder, parseUnit } from './abc-fields.ts';
import { parseDrumMap } from './drum-map.ts';
import { isJump, jumpsIn } from './jumps.ts';
import { parseKey, parseVoiceParameters, type StaffParameters } from './key-field.ts';
import { continuesTune, endOfBlock, fieldOf, isText, keyFollows, withoutEntities, withoutHtml } from './lines.ts';
import { addMacro } from './macros.ts';
import { MusicReader } from './read-notes-and-chords.ts';
import { parseTempo } from './tempo-field.ts';
import { VoiceBuilder } from './voice-builder.ts';
import { FIRST_SETTINGS, type Settings, type Shifts, shiftsOf, withShifts } from './voice-settings.ts';

/** Largest number of problems that are recorded. */
const MAX_PROBLEMS = 1000;
const MAX_REMARKS = 100;
const MAX_VOICES = 256;
/** Lyrics, symbol lines and continued fields. */
const SILENT_LINE = /^[ws+]:/;
const NO_KEY = 'there is no K: field to end the header';

/**
 * Parses the first tune of a text. Never throws: anything unreadable is skipped and listed in `problems`.
 *
 * @example parseAbc('X:1\nL:1/4\nK:C\nCDEF|\n').voices[0].bars[0].layers[0].notes.length // 4
 */
export function parseAbc(text: string): Tune {
  return new AbcParser().parse(text);
}

/** The settings of a voice in the header. */
interface Declaration {
  staff: StaffParameters;
  program?: number;
  drum?: boolean;
}

class AbcParser {
  readonly #tune: Tune = {
    fields: [],
    voices: [],
    microsecondsPerBeat: DEFAULT_TEMPO,
    partOrder: undefined,
    remarks: [],
    problems: [],
  };
  readonly #reader: MusicReader;
  readonly #voices = new Map<string, VoiceBuilder>();
  /** the settings and MIDI program that a new voice begins with */
  #settings: Settings = FIRST_SETTINGS;
  #program = 0;
  #drum = false;
  #inHeader = true;
  /** whether the fields before the first X: are being read. They apply to every tune of a file */
  #inFileHeader = false;
  /** whether the music has named a voice */
  #voiceNamedInMusic = false;
  /** the part that the music begins with, for voices that it has not named yet */
  #firstPart: string | undefined;
  /** the value of the header's Q:, which counts notes of the header's L:, even if L: comes later */
  #tempoText: string | undefined;
  /** whether a K: is still to come; without one, music ends the header */
  #keyFollows = false;
  /** the voices that the header declares, with their parameters and directives */
  readonly #declared = new Map<string, Declaration>();
  /** the voice whose V: the header had last */
  #declaring: Declaration | undefined;

  constructor() {
    this.#reader = new MusicReader(
      (letter, value, column, endColumn) => this.#field(letter, value, column, endColumn),
      (line, column, kind, message) => this.#problem(line, column, kind, message),
    );
    // Notes before the first V: belong to a voice without a name. It becomes part of the tune only if it has notes.
    this.#reader.voice = this.#voiceNamed('');
  }

  parse(text: string): Tune {
    const lines = text.replace(/^\uFEFF/gm, '').split(/\r\n|\n|\r/);
    const hasNumber = lines.some((line) => /^X:/.test(line));
    let begun = false;
    let fileHeaderEnded = false;
    let last = 0;
    this.#inFileHeader = hasNumber;
    this.#keyFollows = keyFollows(lines, 0);
    for (let index = 0; index < lines.length; index++) {
      const { text: line, html } = withoutHtml(lines[index]);
      if (line.startsWith('X:')) {
        if (begun) break;
        begun = true;
        this.#inFileHeader = false;
        this.#keyFollows = keyFollows(lines, index);
      } else if (!begun && hasNumber) {
        // The fields at the beginning of a file, up to an empty line, apply to its tunes. Then there may be text.
        if (line.trim() === '') fileHeaderEnded = this.#tune.fields.length > 0;
        if (fileHeaderEnded || (fieldOf(line, false) === undefined && !line.startsWith('%'))) continue;
      }
      const block = /^%%\s*begin(\w+)/.exec(line)?.[1];
      if (block !== undefined) {
        index = endOfBlock(lines, index, block);
        continue;
      }
      last = index;
      this.#reader.moveTo(index + 1, line);
      if (line.trim() === '' && this.#hasMusic) {
        const next = lines.findIndex((other, i) => i > index && other.trim() !== '');
        if (next < 0 || !continuesTune(lines[next], this.#reader.symbols)) break;
        this.#problem(next + 1, 1, 'syntax', 'an empty line ends a tune, and here the music goes on after one');
        index = next - 1;
        continue;
      }
      this.#line(line);
      if (html && this.#hasMusic) break;
    }
    if (!begun) this.#problem(1, 1, 'header', 'there is no X: field to begin the tune');
    if (this.#inHeader) this.#problem(Math.min(last + 2, lines.length), 1, 'header', NO_KEY);
    for (const builder of this.#voices.values()) builder.end();
    this.#tune.voices = [...this.#voices.values()]
      .map((builder) => builder.result)
      .filter(({ bars }) => bars.length > 0);
    return this.#tune;
  }

  get #hasMusic(): boolean {
    if (this.#inHeader) return false;
    for (const voice of this.#voices.values()) if (!voice.empty) return true;
    return false;
  }

  #line(line: string): void {
    if (line.startsWith('%%')) {
      this.#directive(line.slice(2).trim());
      return;
    }
    if (SILENT_LINE.test(line) || /^\s*(?:%|$)/.test(line)) return;
    const field = fieldOf(line, !this.#inHeader);
    if (field !== undefined) {
      this.#field(field.letter, field.value.replace(/(^|[^\\])%.*$/, '$1').trim(), 1, line.length + 1);
      return;
    }
    if (this.#inHeader) {
      // Text before the first field of a file is allowed; music before K: is not.
      const before = this.#tune.fields.at(-1);
      if (before === undefined) return;
      if (this.#keyFollows && (!line.includes('|') || isText(line, this.#reader.symbols))) {
        // In version 1.6, the text of H: goes on to the next field.
        if (before.letter === 'H') this.#remark('a line without a field, read as a part of H:');
        else this.#reader.problem('header', 'a line of the header that is not a field; it is skipped');
        return;
      }
      this.#reader.problem('header', 'music before the K: field that ends the header');
      this.#endHeader();
    }
    const music = withoutEntities(line);
    if (isText(music, this.#reader.symbols)) this.#reader.problem('syntax', 'this line is text and not music');
    else {
      for (const jump of jumpsIn(music)) this.#remarkJump(jump);
      this.#reader.moveTo(this.#reader.line, music);
      this.#reader.read();
    }
  }

  #field(letter: string, value: string, column: number, endColumn: number): void {
    const { line } = this.#reader;
    const invalid = (message: string) => this.#problem(line, column, 'header', message);
    this.#tune.fields.push({ letter, value, line, column, endColumn });
    switch (letter) {
      case 'K': {
        const field = parseKey(value);
        if (field === undefined) invalid(`K:${value} is not a key`);
        else {
          if (field.fault !== undefined) invalid(field.fault);
          if (field.key !== undefined) this.#set({ key: field.key, alterations: field.alterations });
          this.#setStaff(field.staff, 'K:');
        }
        if (this.#inHeader && !this.#inFileHeader) this.#endHeader();
        break;
      }
      case 'M': {
        const metre = parseMetre(value);
        if (metre === undefined) invalid(`M:${value} is not a metre`);
        else this.#set({ metre: metre === 'free' ? undefined : metre });
        if (this.#inHeader && !this.#settings.unitGiven) this.#set({ unit: defaultUnit(this.#settings.metre) });
        break;
      }
      case 'L': {
        const unit = parseUnit(value);
        if (unit === undefined) invalid(`L:${value} is not a note length`);
        else this.#set({ unit, unitGiven: true });
        break;
      }
      case 'Q': {
        const unit = this.#inHeader ? this.#settings.unit : this.#reader.voice.settings.unit;
        const { microsecondsPerBeat, remark } = parseTempo(value, unit);
        if (remark !== undefined) this.#remark(remark);
        if (microsecondsPerBeat === undefined) break;
        if (this.#inHeader) this.#tempoText = value;
        else this.#tempo(microsecondsPerBeat);
        break;
      }
      case 'V': {
        // Most V: fields only switch to a known voice: in the interleaved layout, at every bar of every voice.
        const known = value === '' || this.#inHeader ? undefined : this.#voices.get(value);
        if (known !== undefined) {
          this.#voiceNamedInMusic = true;
          this.#reader.voice = known;
          break;
        }
        const id = /^\S+/.exec(value)?.[0];
        if (id === undefined) invalid('V: without the name of a voice');
        else if (this.#voices.size >= MAX_VOICES && !this.#voices.has(id)) invalid(`more than ${MAX_VOICES} voices`);
        else this.#enterVoice(id, parseVoiceParameters(value.slice(id.length)));
        break;
      }
      case 'P':
        if (this.#inHeader) {
          if (!this.#inFileHeader) this.#tune.partOrder = parsePartOrder(value);
        } else if (isJump(value)) this.#remarkJump(value);
        else this.#beginPart(value);
        break;
      case 'U': {
        const [, symbol, meaning] = /^\s*(\S)\s*=?\s*(.*)$/.exec(value) ?? [];
        if (symbol !== undefined) this.#reader.symbols.define(symbol, meaning);
        break;
      }
      case 'm': {
        const fault = addMacro(this.#reader.macros, value);
        if (fault !== undefined) invalid(fault);
        break;
      }
      case 'I':
        this.#directive(value.replace(/^MIDI\s*=\s*/, 'MIDI '));
        break;
    }
  }

  /** Applies the settings of a field, see #change. */
  #set(settings: Partial<Settings>): void {
    this.#change(() => settings);
  }

  /**
   * Changes settings. In the header they apply to all voices. So they do before the first note, until V: names a voice.
   * Afterwards they apply to the current voice.
   */
  #change(change: (before: Settings) => Partial<Settings>): void {
    const forAll = this.#inHeader || (!this.#voiceNamedInMusic && !this.#hasMusic);
    if (forAll) this.#settings = { ...this.#settings, ...change(this.#settings) };
    if (this.#inHeader) return;
    const voices = forAll ? this.#voices.values() : [this.#reader.voice];
    for (const voice of voices) voice.set(change(voice.settings));
  }

  /**
   * P: in the music begins a part of the current voice, and of the voices that have as many bars. Words may follow the
   * name of a part that the header orders: `A. Slow`. Other values are printed only.
   */
  #beginPart(value: string): void {
    const { voice } = this.#reader;
    const name = /^[A-Z](?=$|[.,:\s])/.exec(value)?.[0];
    if (name === undefined || (value !== name && !this.#tune.partOrder?.includes(name))) return;
    voice.beginPart(name);
    if (!this.#hasMusic) this.#firstPart = name;
    for (const other of this.#voices.values()) if (other.bars === voice.bars) other.beginPart(name);
  }

  #tempo(microsecondsPerBeat: number): void {
    if ([...this.#voices.values()].every((voice) => voice.empty)) this.#tune.microsecondsPerBeat = microsecondsPerBeat;
    else this.#reader.voice.change({ microsecondsPerBeat });
  }

  /** Reads a directive, without its `%%`. */
  #directive(text: string): void {
    const accidentals = /^propagate-accidentals\s+(not|octave|pitch)\b/.exec(text);
    if (accidentals !== null) this.#set({ accidentals: accidentals[1] as Settings['accidentals'] });
    const breaks = /^linebreak\s+(.*)/.exec(text);
    if (breaks !== null) this.#reader.breaksLineAtBang = breaks[1].includes('!');
    const drum = parseDrumMap(text);
    if (drum !== undefined) this.#mapDrum(drum.pitch, drum.sound);
    const midi = /^MIDI\s+(program|channel|transpose)\s+(-?\d+)(?:\s+(\d+))?/.exec(text);
    if (midi === null) return;
    const [, name, first, second] = midi;
    if (name === 'transpose') {
      if (Math.abs(Number(first)) <= 127) this.#setShifts({ midi: Number(first) });
    } else if (name === 'channel') {
      if (this.#declaring !== undefined) this.#declaring.drum = first === '10';
      else if (this.#inHeader) this.#drum = first === '10';
      else this.#reader.voice.result.drum = first === '10';
    } else this.#setProgram(Number(second ?? first));
  }

  #setProgram(program: number): void {
    const { voice } = this.#reader;
    if (program < 0 || program > 127) this.#reader.problem('range', `program ${program} is not one of MIDI's 0–127`);
    else if (this.#declaring !== undefined) this.#declaring.program = program;
    else if (this.#inHeader) this.#program = program;
    else if (voice.empty) voice.result.program = program;
    else voice.change({ program });
  }

  /** Maps a pitch of a drum voice to a percussion sound. */
  #mapDrum(pitch: number, sound: number): void {
    if (sound > 127) {
      this.#reader.problem('range', `${sound} is not one of MIDI's percussion sounds`);
      return;
    }
    this.#change(({ drumMap }) => ({ drumMap: new Map(drumMap).set(pitch, sound) }));
  }

  /** Applies the parameters of K: or V: to the tune or the current voice. */
  #setStaff(staff: StaffParameters, field: string): void {
    this.#remarkUnknown(staff, field);
    this.#setShifts(shiftsOf(staff));
    if (staff.percussion !== undefined) this.#set({ percussion: staff.percussion });
  }

  #remarkUnknown(staff: StaffParameters, field: string): void {
    for (const word of staff.unknown.slice(0, 10))
      this.#remark(`${field} has the unknown word "${word.replaceAll('"', '')}", passed over`);
  }

  #setShifts(shifts: Partial<Shifts>): void {
    if (Object.keys(shifts).length > 0) this.#change((before) => withShifts(before, shifts));
  }

  /**
   * Ends the header: makes the voices that it declares. The music belongs to the first of them until V: names another.
   */
  #endHeader(): void {
    const { microsecondsPerBeat } = parseTempo(this.#tempoText ?? '', this.#settings.unit);
    if (microsecondsPerBeat !== undefined) this.#tune.microsecondsPerBeat = microsecondsPerBeat;
    this.#declaring = undefined;
    Object.assign(this.#reader.voice.result, { program: this.#program, drum: this.#drum });
    this.#reader.voice.settings = this.#settings;
    for (const [id, { staff, program, drum }] of this.#declared) {
      const builder = this.#voiceNamed(id);
      if (program !== undefined) builder.result.program = program;
      if (drum !== undefined) builder.result.drum = drum;
      builder.set({ ...withShifts(builder.settings, shiftsOf(staff)), percussion: staff.percussion });
    }
    const [first] = this.#declared.keys();
    if (first !== undefined) this.#reader.voice = this.#voices.get(first)!;
    this.#inHeader = false;
  }

  #enterVoice(id: string, staff: StaffParameters): void {
    if (this.#inHeader) {
      this.#remarkUnknown(staff, 'V:');
      this.#declaring = this.#declared.get(id) ?? { staff };
      this.#declaring.staff = { ...this.#declaring.staff, ...staff };
      if (this.#declared.size < MAX_VOICES) this.#declared.set(id, this.#declaring);
      return;
    }
    this.#voiceNamedInMusic = true;
    this.#reader.voice = this.#voiceNamed(id);
    this.#setStaff(staff, 'V:');
  }

  #voiceNamed(id: string): VoiceBuilder {
    let builder = this.#voices.get(id);
    if (builder === undefined) {
      builder = new VoiceBuilder(id, this.#settings, this.#reader);
      Object.assign(builder.result, { program: this.#program, drum: this.#drum });
      if (this.#firstPart !== undefined) builder.beginPart(this.#firstPart);
      this.#voices.set(id, builder);
    }
    return builder;
  }

  #remarkJump(jump: string): void {
    this.#remark(`the jump "${jump.replaceAll('"', '')}" is not played`);
  }

  #remark(message: string): void {
    const { remarks } = this.#tune;
    if (remarks.length < MAX_REMARKS) remarks.push({ line: this.#reader.line, message });
  }

  #problem(line: number, column: number, kind: ProblemKind, message: string): void {
    const { problems } = this.#tune;
    const last = problems.at(-1);
    const isDuplicate = last !== undefined && last.line === line && last.column === column && last.kind === kind;
    if (problems.length < MAX_PROBLEMS && !isDuplicate) problems.push({ line, column, message, kind });
  }
}
