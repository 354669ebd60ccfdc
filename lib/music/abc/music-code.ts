/**
 * Lines of music, character by character, into the voice that is written to. Fields between the notes go back to abc-parse.ts.
 *
 * Passes over what does not sound: grace notes, decorations, slurs, chord symbols, annotations.
 */

import { MAX_NOTES_IN_CHORD } from '../model/index.ts';
import { pitchAt } from './abc-fields.ts';
import type { ProblemKind, TuneNote } from './tune.ts';
import type { Place, VoiceBuilder } from './voice-builder.ts';

const LETTERS = 'CDEFGABcdefgab';

/** `|`, `||`, `|]`, `[|`, `|:`, `:|`, `::`, `:|:`, `.|`, `[|]`. */
const BAR_LINE = /:*\.?\[?\|[|\]]*:*|::+/y;
/** `1`, `1,3`, `1-3` after a bar line, or after `[`. */
const ENDING = /\[?(\d+(?:[,-]\d+)*)/y;
const DECORATION = /!([^!\n|]*)!|\+([a-z<>()0-9.]+)\+/y;
const QUOTED = /"[^"\n]*"/y;
const GRACE = /\{[^}\n]*\}/y;
const TUPLET = /\((\d+)(?::(\d*))?(?::(\d*))?/y;
/** Decorations of one letter, and those that U: may define; `~` and `.` too. */
const SHORTHAND = /[~.HLMOPRSTuvh-wJ]/;
/** No section is played so often; a slip of the pen ([11111) may say so. */
const MOST_PASSES = 99;

export class MusicReader implements Place {
  /** what is read is added here */
  voice!: VoiceBuilder;
  /** counted from 1 */
  line = 1;
  private text = '';
  private at = 0;
  /** the last `]` and `}` of the line: beyond them nothing is searched for what closes */
  private lastBracket = -1;
  /** where the last inline field of the line ended */
  private fieldEnd = -1;
  private lastBrace = -1;
  private readonly inlineField: (letter: string, value: string, column: number, endColumn: number) => void;
  private readonly report: (line: number, column: number, kind: ProblemKind, message: string) => void;

  constructor(inlineField: MusicReader['inlineField'], report: MusicReader['report']) {
    this.inlineField = inlineField;
    this.report = report;
  }

  get column(): number {
    return this.at + 1;
  }

  problem(kind: ProblemKind, message: string, column = this.column): void {
    this.report(this.line, column, kind, message);
  }

  /** Goes to the beginning of a line, which may be no music. */
  moveTo(line: number, text: string): void {
    this.line = line;
    this.text = text;
    this.at = 0;
    this.lastBracket = text.lastIndexOf(']');
    this.fieldEnd = -1;
    this.lastBrace = text.lastIndexOf('}');
  }

  /** Reads the line to its end. */
  read(): void {
    const { text } = this;
    while (this.at < text.length) {
      const c = text[this.at];
      // In order of how often they occur.
      if (beginsNote(c)) this.note();
      else if (c === ' ' || c === '\t' || c === '`' || c === '\\' || c === '$' || c === '*') this.at++;
      else if (c === '%') return;
      else if (c === 'z' || c === 'x') this.rest();
      else if (c === 'Z' || c === 'X') this.restBars();
      else if (c === 'y') this.spacer();
      else if (c === '[') this.bracket();
      else if (c === '|' || c === ':' || (c === '.' && text[this.at + 1] === '|')) this.barLine();
      else if (c === '-') this.tie();
      else if (c === '>' || c === '<') this.broken(c);
      else if (c === '(') this.tupletOrSlur();
      else if (c === ')') this.at++;
      else if (c === '"') this.skip(QUOTED, 'a chord symbol or annotation');
      else if (c === '{') this.graceNotes();
      else if (c === '!' || c === '+') this.skip(DECORATION, 'a decoration');
      else if (c === '&') this.overlay();
      else if (SHORTHAND.test(c)) this.at++;
      else {
        this.problem('syntax', `"${printable(c)}" has no meaning in music`);
        this.at++;
      }
    }
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text);
  }

  /** Passes over what does not sound. */
  private skip(pattern: RegExp, what: string): void {
    const match = this.match(pattern);
    if (match === null) this.problem('syntax', `${what} begins here and does not end in its line`);
    this.at += match === null ? 1 : match[0].length;
  }

  private graceNotes(): void {
    if (this.at < this.lastBrace) this.skip(GRACE, 'grace notes');
    else {
      this.problem('syntax', 'grace notes begin here and do not end in their line');
      this.at++;
    }
  }

  // ---- notes, chords, rests ----

  private note(): void {
    const note = this.pitchAndLength(this.voice.begin());
    if (note !== undefined) this.voice.sound(note.pitch < 0 ? [] : [note], note.duration);
  }

  private chord(): void {
    const { text, voice } = this;
    const { column } = this;
    const start = voice.begin();
    const notes: TuneNote[] = [];
    // A chord lasts as long as its first note (standard 2.1, §4.17).
    let duration = 0;
    /** column of a decoration that waits for its note */
    let decoration = 0;
    this.at++;
    while (this.at < text.length) {
      const c = text[this.at];
      if (beginsNote(c)) {
        decoration = 0;
        const note = this.pitchAndLength(start);
        if (note === undefined) continue;
        duration ||= note.duration;
        if (note.pitch < 0) continue;
        if (notes.length < MAX_NOTES_IN_CHORD) notes.push(note);
        else this.problem('range', `a chord of more than ${MAX_NOTES_IN_CHORD} notes`, column);
      } else if (c === 'z' || c === 'x') {
        decoration = 0;
        this.at++;
        const rest = this.duration();
        duration ||= rest;
      } else if (c === '-') {
        if (notes.length > 0) notes.at(-1)!.tied = true;
        this.at++;
      } else if (c === '"') this.skip(QUOTED, 'an annotation');
      else if (c === '!' || c === '+') this.skip(DECORATION, 'a decoration');
      else if (SHORTHAND.test(c)) {
        decoration = this.column;
        this.at++;
      } else if (c === ' ' || c === '(' || c === ')') this.at++;
      else break;
    }
    if (decoration > 0) this.problem('syntax', 'a decoration without a note after it in its chord', decoration);
    if (text[this.at] === ']') this.at++;
    else this.problem('syntax', 'a chord begins here and is not closed with ]', column);
    const factor = this.length();
    if (duration === 0) this.problem('syntax', 'a chord without a note', column);
    else voice.sound(notes, duration, factor);
  }

  /** One note; undefined where accidentals have no letter after them. A pitch beyond MIDI is −1. */
  private pitchAndLength(start: number): TuneNote | undefined {
    const { text, voice } = this;
    const { column } = this;
    let accidental: number | undefined;
    for (; text[this.at] === '^' || text[this.at] === '_' || text[this.at] === '='; this.at++) {
      accidental = (accidental ?? 0) + (text[this.at] === '^' ? 1 : text[this.at] === '_' ? -1 : 0);
    }
    const index = this.at < text.length ? LETTERS.indexOf(text[this.at]) : -1;
    if (index < 0) {
      this.problem('syntax', 'an accidental without a note', column);
      return undefined;
    }
    this.at++;
    if (accidental !== undefined && Math.abs(accidental) > 2) {
      this.problem('syntax', 'more than two sharps or flats on a note', column);
      accidental = Math.sign(accidental) * 2;
    }
    let octave = index < 7 ? 5 : 6;
    for (; text[this.at] === ',' || text[this.at] === "'"; this.at++) octave += text[this.at] === ',' ? -1 : 1;
    const position = 7 * octave + (index % 7);
    let pitch = pitchAt(position, voice.alteration(position, accidental)) + voice.settings.transpose;
    if (pitch < 0 || pitch > 127) {
      this.problem('range', `this note is ${pitch < 0 ? 'below' : 'above'} all MIDI pitches`, column);
      pitch = -1;
    }
    const endColumn = this.column;
    const duration = this.duration();
    const explicit = accidental !== undefined;
    return { start, duration, pitch, position, explicit, tied: false, line: this.line, column, endColumn };
  }

  /** A length in ticks, at least 1. */
  private duration(): number {
    return Math.max(1, Math.round(this.length() * this.voice.settings.unit));
  }

  /** `3/2`, `/`, `//`, `4`, nothing: a multiple of the unit. */
  private length(): number {
    let length = this.digits() ?? 1;
    while (this.text[this.at] === '/') {
      this.at++;
      length /= this.digits() ?? 2;
    }
    if (length > 0 && Number.isFinite(length)) return length;
    this.problem('range', 'a length that is no length');
    return 1;
  }

  private digits(): number | undefined {
    const { text } = this;
    const from = this.at;
    while (this.at < text.length && text[this.at] >= '0' && text[this.at] <= '9') this.at++;
    return this.at === from ? undefined : Number(text.slice(from, this.at));
  }

  private rest(): void {
    this.voice.begin();
    this.at++;
    this.voice.sound([], this.duration());
  }

  private restBars(): void {
    this.voice.begin();
    this.at++;
    this.voice.restBars(this.digits() ?? 1);
  }

  private spacer(): void {
    this.at++;
    this.length();
  }

  // ---- what joins notes ----

  private tie(): void {
    if (this.at === this.fieldEnd) this.problem('tie', 'a tie must stand beside its note, and a field comes between');
    this.voice.tie();
    this.at++;
  }

  private broken(sign: '>' | '<'): void {
    const from = this.at;
    while (this.text[this.at] === sign) this.at++;
    this.voice.broken(sign, this.at - from);
  }

  private tupletOrSlur(): void {
    const match = this.match(TUPLET);
    if (match === null) {
      this.at++;
      return;
    }
    const number = (digits: string | undefined) => (digits ? Number(digits) : undefined);
    this.voice.tuplet(Number(match[1]), number(match[2]), number(match[3]));
    this.at += match[0].length;
  }

  private overlay(): void {
    this.voice.overlay();
    this.at++;
  }

  // ---- bar lines and brackets ----

  private barLine(): void {
    const { text, at } = this;
    const next = text[at + 1];
    if (text[at] === '|' && next !== '|' && next !== ']' && next !== ':') {
      this.voice.barLine(0, false, false, this.column + 1);
      this.at++;
      if (isDigit(next) || (next === '[' && isDigit(text[at + 2]))) this.ending(this.match(ENDING)!);
      return;
    }
    const match = this.match(BAR_LINE);
    if (match === null) {
      this.problem('syntax', `"${this.text[this.at]}" stands alone; a repeat is |: or :|`);
      this.at++;
      return;
    }
    const [sign] = match;
    const before = /^:*/.exec(sign)![0].length;
    const onlyColons = before === sign.length;
    const closes = onlyColons ? Math.floor(before / 2) : before;
    const opens = onlyColons || sign.endsWith(':');
    this.voice.barLine(closes, /\|\||\|\]|\[\|/.test(sign), opens, this.column + sign.length);
    this.at += sign.length;
    const ending = this.match(ENDING);
    if (ending !== null) this.ending(ending);
  }

  private ending(match: RegExpExecArray): void {
    const passes: number[] = [];
    for (const part of match[1].split(',')) {
      const [from, to = from] = part.split('-').map(Number);
      if (to > MOST_PASSES) this.problem('repeat', `an ending for pass ${to}`);
      for (let pass = from; pass <= Math.min(to, MOST_PASSES); pass++) passes.push(pass);
    }
    this.voice.ending(passes);
    this.at += match[0].length;
  }

  /** `[`: an inline field, a bar line, an ending, or a chord. */
  private bracket(): void {
    const { text, at, column } = this;
    const next = text[at + 1];
    if (text[at + 2] === ':' && at < this.lastBracket && isLetter(next)) {
      const end = text.indexOf(']', at);
      this.at = this.fieldEnd = end + 1;
      this.inlineField(next, text.slice(at + 3, end).trim(), column, end + 2);
    } else if (next === '|') this.barLine();
    else if (isDigit(next)) this.ending(this.match(ENDING)!);
    // A named ending, ["last": shown, not followed.
    else if (next === '"') this.at++;
    else this.chord();
  }
}

function beginsNote(c: string): boolean {
  return (c >= 'A' && c <= 'G') || (c >= 'a' && c <= 'g') || c === '^' || c === '_' || c === '=';
}

function isDigit(c: string | undefined): boolean {
  return c !== undefined && c >= '0' && c <= '9';
}

function isLetter(c: string): boolean {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

function printable(c: string): string {
  return c < ' ' || c > '~' ? `U+${c.codePointAt(0)!.toString(16).padStart(4, '0')}` : c;
}
