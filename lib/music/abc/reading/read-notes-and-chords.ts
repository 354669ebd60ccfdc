/**
 * Reads lines of music character by character: notes (`^c'2`), chords (`[CEG]2`), rests, ties, tuplets, bar lines,
 * layers.
 *
 * The notes are added to a VoiceBuilder. Inline fields are passed to parse-abc.ts. Grace notes, decorations, slurs,
 * chord symbols and annotations make no sound here and are skipped.
 *
 * @see ABC standard 2.1, §4: the tune body
 */
import { MAX_NOTES_IN_CHORD } from '../../model/index.ts';
import type { ProblemKind, TuneNote } from '../tune.ts';
import { pitchAt } from './abc-fields.ts';
import { isAnnotatedChord, readBarLine, readEnding } from './bar-lines.ts';
import { beginsNote, isDigit, isLetter, LETTERS, meaningless } from './characters.ts';
import { DECORATION, isOldChord, readDecoration, Symbols } from './decorations.ts';
import { graceAccidentals } from './grace-notes.ts';
import { findMacro, type Macro } from './macros.ts';
import type { TextPlace, VoiceBuilder } from './voice-builder.ts';
import { withShifts } from './voice-settings.ts';

/** Within it, `\\"` is an accent (standard 2.1, §8.2) or a quotation mark. The length is limited to keep the time linear. */
const QUOTED = /"(?:[^"\\\n]|\\.){0,1000}"|"[^"\n]*"/y;
const GRACE = /\{[^}\n]*\}/y;
const TUPLET = /\((\d+)(?::(\d*))?(?::(\d*))?/y;
/** Decorations of one character (standard 2.1, §4.14). U: defines others. */
const SHORTHAND = /[~.HJLMOPRSTuv]/;
/** Called for each inline field, `[K:G]`, with its letter, value and columns. */
type InlineFieldHandler = (letter: string, value: string, column: number, endColumn: number) => void;
/** Called for each problem. */
type ProblemHandler = (line: number, column: number, kind: ProblemKind, message: string) => void;

/** Reads lines of music into the current voice. */
export class MusicReader implements TextPlace {
  /** the voice that notes are added to */
  voice!: VoiceBuilder;
  /** number of the current line, counted from 1 */
  line = 1;
  /** the macros that m: defines */
  readonly macros: Macro[] = [];
  /** the letters that U: defines */
  readonly symbols = new Symbols();
  /** whether I:linebreak makes `!` a line break of the print */
  breaksLineAtBang = false;
  /** while a macro is read: the column of its name in the line */
  #macroColumn: number | undefined;
  #text = '';
  #at = 0;
  /**
   * The columns of the last `]` and `}` of the line. After them, no closing bracket is searched for. This keeps the
   * time linear.
   */
  #lastBracket = -1;
  /** the column after the last inline field of the line */
  #fieldEnd = -1;
  #lastBrace = -1;
  readonly #onInlineField: InlineFieldHandler;
  readonly #report: ProblemHandler;

  constructor(onInlineField: InlineFieldHandler, report: ProblemHandler) {
    this.#onInlineField = onInlineField;
    this.#report = report;
  }

  get column(): number {
    return this.#macroColumn ?? this.#at + 1;
  }

  problem(kind: ProblemKind, message: string, column = this.column): void {
    this.#report(this.line, column, kind, message);
  }

  /** Moves to the beginning of a line, which may be of any kind. */
  moveTo(line: number, text: string): void {
    this.line = line;
    this.#text = text;
    this.#at = 0;
    this.#lastBracket = text.lastIndexOf(']');
    this.#fieldEnd = -1;
    this.#lastBrace = text.lastIndexOf('}');
  }

  /** Reads the line to its end or to a comment. */
  read(): void {
    this.#readText();
    this.voice.endLine();
  }

  #readText(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      const c = text[this.#at];
      if (this.macros.length > 0 && this.#macro()) continue;
      // The most frequent characters come first.
      if (beginsNote(c)) this.#note();
      else if (c === ' ' || c === '\t' || c === '\u00a0' || c === '`' || c === '\\' || c === '$' || c === '*')
        this.#at++;
      else if (c === '%') return;
      else if (c === 'z' || c === 'x') this.#rest();
      else if (c === 'Z' || c === 'X') this.#restBars();
      else if (c === 'y') this.#spacer();
      else if (c === '[') this.#bracket();
      else if (c === '|' || c === ':' || (c === '.' && text[this.#at + 1] === '|')) this.#barLine();
      else if (c === '-') this.#tie();
      else if (c === '>' || c === '<') this.#broken(c);
      else if (c === '(') this.#tupletOrSlur();
      else if (c === ')') this.#at++;
      else if (c === '"') this.#skip(QUOTED, 'a chord symbol or annotation');
      else if (c === '{') this.#graceNotes();
      else if (c === '!' || c === '+') this.#decoration();
      else if (c === '&') this.#overlay();
      else if (SHORTHAND.test(c) || this.symbols.has(c)) this.#symbol(c);
      // The number of an ending may stand on the line after its bar line.
      else if (isDigit(c) && this.#at === 0 && this.voice.isBetweenBars) this.#ending();
      else this.#meaningless(c);
    }
  }

  #meaningless(c: string): void {
    const { kind, message } = meaningless(c);
    this.problem(kind, message);
    this.#at++;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  /** Skips a construction that makes no sound. If it does not end in its line, a problem is reported under `name`. */
  #skip(pattern: RegExp, name: string): void {
    const match = this.#match(pattern);
    if (match === null) this.problem('syntax', `${name} begins here and does not end in its line`);
    this.#at += match === null ? 1 : match[0].length;
  }

  /** A decoration, or the `!` with which old programs broke lines. */
  #decoration(): void {
    if (isOldChord(this.#text, this.#at)) {
      this.#chord('+');
      return;
    }
    if (this.breaksLineAtBang && this.#text[this.#at] === '!') {
      this.#at++;
      return;
    }
    const { length, ottava, isOpen } = readDecoration(this.#text, this.#at);
    if (ottava !== undefined) this.voice.set(withShifts(this.voice.settings, { ottava }));
    if (isOpen) this.problem('syntax', 'a decoration begins here and does not end in its line');
    this.#at += length;
  }

  /** A letter that stands for a decoration. */
  #symbol(c: string): void {
    const ottava = this.symbols.ottava(c);
    if (ottava !== undefined) this.voice.set(withShifts(this.voice.settings, { ottava }));
    this.#at++;
  }

  /** Reads the notes of a macro whose name stands here. */
  #macro(): boolean {
    if (this.#macroColumn !== undefined) return false;
    const text = this.#text;
    const found = findMacro(this.macros, text, this.#at);
    if (found === undefined) return false;
    const { column } = this;
    const [fieldEnd, brace, bracket] = [this.#fieldEnd, this.#lastBrace, this.#lastBracket];
    const end = this.#at + found.length;
    this.moveTo(this.line, found.notes);
    this.#macroColumn = column;
    this.#readText();
    this.#macroColumn = undefined;
    this.#text = text;
    this.#at = end;
    [this.#fieldEnd, this.#lastBrace, this.#lastBracket] = [fieldEnd, brace, bracket];
    return true;
  }

  #graceNotes(): void {
    const match = this.#at < this.#lastBrace ? this.#match(GRACE) : null;
    if (match !== null) {
      for (const [position, alteration] of graceAccidentals(match[0])) this.voice.graceAccidental(position, alteration);
      this.#at += match[0].length;
    } else {
      this.problem('syntax', 'grace notes begin here and do not end in their line');
      this.#at++;
    }
  }

  // ---- notes, chords, rests ----

  #note(): void {
    const note = this.#pitchAndLength(this.voice.begin());
    if (note !== undefined) this.voice.sound(note.pitch < 0 ? [] : [note], note.duration);
  }

  #chord(closing: ']' | '+' = ']'): void {
    const { voice, column } = this;
    const text = this.#text;
    const start = voice.begin();
    const notes: TuneNote[] = [];
    // A chord lasts as long as its first note (standard 2.1, §4.17).
    let duration = 0;
    /** the column of a decoration that still waits for its note; 0 if there is none */
    let decoration = 0;
    this.#at++;
    while (this.#at < text.length) {
      const c = text[this.#at];
      if (beginsNote(c)) {
        decoration = 0;
        const note = this.#pitchAndLength(start);
        if (note === undefined) continue;
        duration ||= note.duration;
        if (note.pitch < 0) continue;
        if (notes.length < MAX_NOTES_IN_CHORD) notes.push(note);
        else this.problem('range', `a chord of more than ${MAX_NOTES_IN_CHORD} notes`, column);
      } else if (c === 'z' || c === 'x') {
        decoration = 0;
        this.#at++;
        const rest = this.#duration();
        duration ||= rest;
      } else if (c === '-') {
        if (notes.length > 0) notes.at(-1)!.tied = true;
        this.#at++;
      } else if (c === closing) break;
      else if (c === '"') this.#skip(QUOTED, 'an annotation');
      else if (c === '!' || c === '+') this.#skip(DECORATION, 'a decoration');
      else if (SHORTHAND.test(c) || this.symbols.has(c)) {
        decoration = this.column;
        this.#at++;
      } else if (c === ' ' || c === '(' || c === ')') this.#at++;
      else if (c >= 'h' && c <= 'w') this.#meaningless(c);
      else break;
    }
    if (decoration > 0) this.problem('syntax', 'a decoration without a note after it in its chord', decoration);
    if (text[this.#at] === closing) this.#at++;
    else this.problem('syntax', 'a chord begins here and is not closed with ]', column);
    const factor = this.#length();
    if (duration === 0) this.problem('syntax', 'a chord without a note', column);
    else voice.sound(notes, duration, factor);
  }

  /** Reads a note. Returns undefined if no letter follows the accidentals. A pitch outside MIDI's 0–127 becomes −1. */
  #pitchAndLength(start: number): TuneNote | undefined {
    const { voice, column } = this;
    const text = this.#text;
    let accidental: number | undefined;
    for (; text[this.#at] === '^' || text[this.#at] === '_' || text[this.#at] === '='; this.#at++) {
      accidental = (accidental ?? 0) + (text[this.#at] === '^' ? 1 : text[this.#at] === '_' ? -1 : 0);
    }
    const index = this.#at < text.length ? LETTERS.indexOf(text[this.#at]) : -1;
    if (index < 0) {
      this.problem('syntax', 'an accidental without a note', column);
      return undefined;
    }
    this.#at++;
    if (accidental !== undefined && Math.abs(accidental) > 2) {
      this.problem('syntax', 'more than two sharps or flats on a note', column);
      accidental = Math.sign(accidental) * 2;
    }
    let octave = index < 7 ? 5 : 6;
    for (; text[this.#at] === ',' || text[this.#at] === "'"; this.#at++) octave += text[this.#at] === ',' ? -1 : 1;
    const position = 7 * octave + (index % 7);
    let pitch = this.#sound(position, voice.alteration(position, accidental));
    if (pitch < 0 || pitch > 127) {
      this.problem('range', `this note is ${pitch < 0 ? 'below' : 'above'} all MIDI pitches`, column);
      pitch = -1;
    }
    const endColumn = this.column;
    const duration = this.#duration();
    const explicit = accidental !== undefined;
    return { start, duration, pitch, position, explicit, tied: false, line: this.line, column, endColumn };
  }

  /** The pitch that sounds for a written note: transposed, or the percussion sound that it stands for. */
  #sound(position: number, alteration: number): number {
    const { settings, result } = this.voice;
    const { drumMap, transpose } = settings;
    const pitch = pitchAt(position, alteration);
    if (drumMap === undefined || !(result.drum || settings.percussion)) return pitch + transpose;
    result.drum = true;
    return drumMap.get(pitch) ?? drumMap.get(pitchAt(position, 0)) ?? pitch;
  }

  /** Reads a length, in ticks, at least 1. */
  #duration(): number {
    return Math.max(1, Math.round(this.#length() * this.voice.settings.unit));
  }

  /** Reads a length as a multiple of the unit: `3/2`, `/`, `//`, `4`, or nothing for 1. */
  #length(): number {
    let length = this.#digits() ?? 1;
    while (this.#text[this.#at] === '/') {
      this.#at++;
      length /= this.#digits() ?? 2;
    }
    if (length > 0 && Number.isFinite(length)) return length;
    this.problem('range', 'a length of zero, or too large');
    return 1;
  }

  #digits(): number | undefined {
    const text = this.#text;
    const from = this.#at;
    while (this.#at < text.length && text[this.#at] >= '0' && text[this.#at] <= '9') this.#at++;
    return this.#at === from ? undefined : Number(text.slice(from, this.#at));
  }

  #rest(): void {
    this.voice.begin();
    this.#at++;
    this.voice.sound([], this.#duration());
  }

  #restBars(): void {
    this.voice.begin();
    this.#at++;
    this.voice.restBars(this.#digits() ?? 1);
  }

  #spacer(): void {
    this.#at++;
    this.#length();
  }

  // ---- ties, rhythm, tuplets, layers ----

  #tie(): void {
    if (this.#at === this.#fieldEnd) this.problem('tie', 'a tie must stand beside its note, and a field comes between');
    this.voice.tie();
    this.#at++;
  }

  #broken(sign: '>' | '<'): void {
    const from = this.#at;
    while (this.#text[this.#at] === sign) this.#at++;
    this.voice.broken(sign, this.#at - from);
  }

  #tupletOrSlur(): void {
    if (this.#text[this.#at + 1] === '&') {
      this.voice.beginOverlay();
      this.#at += 2;
      return;
    }
    const match = this.#match(TUPLET);
    if (match === null) {
      this.#at++;
      return;
    }
    const number = (digits: string | undefined) => (digits ? Number(digits) : undefined);
    this.voice.tuplet(Number(match[1]), number(match[2]), number(match[3]));
    this.#at += match[0].length;
  }

  #overlay(): void {
    if (this.#text[this.#at + 1] === ')') {
      this.voice.endOverlay();
      this.#at += 2;
      return;
    }
    this.voice.overlay();
    this.#at++;
  }

  // ---- bar lines and brackets ----

  #barLine(): void {
    const sign = readBarLine(this.#text, this.#at, this.voice.isBetweenBars);
    if (sign === undefined) {
      this.problem('syntax', `"${this.#text[this.#at]}" stands alone; a repeat is |: or :|`);
      this.#at++;
      return;
    }
    this.voice.barLine(sign.closesRepeat, sign.isDouble, sign.opensRepeat, this.column + sign.length);
    this.#at += sign.length;
    // A space before the number is not in the standard, but is common.
    this.#ending(true);
  }

  /** Reads the number of an ending. Returns false if none stands here. */
  #ending(afterSpace = false): boolean {
    const ending = readEnding(this.#text, this.#at, afterSpace);
    if (ending === undefined) return false;
    if (ending.fault !== undefined) this.problem('repeat', ending.fault);
    if (ending.passes.length > 0) this.voice.ending(ending.passes);
    this.#at += ending.length;
    return true;
  }

  /** Reads a construction that begins with `[`: an inline field, a bar line, an ending or a chord. */
  #bracket(): void {
    const { column } = this;
    const text = this.#text;
    const at = this.#at;
    const next = text[at + 1];
    if (text[at + 2] === ':' && at < this.#lastBracket && isLetter(next)) {
      const end = text.indexOf(']', at);
      this.#at = this.#fieldEnd = end + 1;
      this.#onInlineField(next, text.slice(at + 3, end).trim(), column, end + 2);
    } else if (next === '|') this.#barLine();
    // Other named endings, such as ["last", are printed only.
    else if (isDigit(next) || (next === '"' && !isAnnotatedChord(text, at))) {
      if (!this.#ending()) this.#at++;
    } else this.#chord();
  }
}
