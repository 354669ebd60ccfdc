/**
 * ABC text → Tune: the language of standard 2.1 as people write it, and our own dialect in particular. The first tune of a file only.
 *
 * Reads fields, directives for MIDI programs and drum channels, notes, rests, chords, ties, tuplets, broken rhythm, repeats,
 * endings, `&` layers, voices and inline fields. Passes over what does not sound: grace notes, decorations, slurs, chord
 * symbols, annotations, lyrics, text. Does not play: no part order (P:), no macros, no multi-bar overlays, no microtones, no guitar chords.
 *
 * Never throws: what cannot be read is passed over and noted in `problems`.
 */
import { defaultUnit, parseKey, parseMetre, parseTempo, parseTranspose, parseUnit, pitchAt } from './abc-fields.ts';
import type { Key } from './key.ts';
import { DEFAULT_TEMPO } from './performance.ts';
import {
  type BarChange,
  type Metre,
  metreDuration,
  type ProblemKind,
  type Tune,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
} from './tune.ts';

/** Nothing in music is longer; a slip of the pen (C44444) may be. */
const LONGEST_NOTE = 64 * WHOLE;
const LONGEST_REST_IN_BARS = 1000;
const MAX_PROBLEMS = 1000;
const LETTERS = 'CDEFGABcdefgab';

/** A sequence of bar-line characters: `|`, `||`, `|]`, `[|`, `|:`, `:|`, `::`, `:|:`, `.|`, `[|]`. */
const BAR_LINE = /:*\.?\[?\|[|\]]*:*|::+/y;
/** `1`, `1,3`, `1-3` after a bar line or after `[`. */
const ENDING = /\[?(\d+(?:[,-]\d+)*)/y;
const INLINE_FIELD = /\[([A-Za-z]):([^\]\n]*)\]/y;
const DECORATION = /!([^!\n|]*)!|\+([a-z<>()0-9.]+)\+/y;
const QUOTED = /"[^"\n]*"/y;
const GRACE = /\{[^}\n]*\}/y;
const TUPLET = /\((\d+)(?::(\d*))?(?::(\d*))?/y;
const FIELD_LINE = /^([A-Za-z+]):(.*)$/;
/** Decorations of one letter, and those that U: may define; `~` and `.` too. */
const SHORTHAND = /[~.HLMOPRSTuvh-wJ]/;

/** `(p` puts p notes into the time of so many; of 5, 7 and 9 it depends on the metre. */
const TUPLET_TIME = [0, 0, 3, 2, 3, 0, 2, 0, 3, 0];

/** What fields set. */
interface Settings {
  /** duration of a note without a number */
  unit: number;
  unitGiven: boolean;
  metre: Metre | undefined;
  key: Key;
  /** by letter C…B */
  alterations: number[];
  /** in semitones */
  transpose: number;
}

/** Everything that a voice remembers between its notes. */
interface VoiceState extends Settings {
  voice: TuneVoice;
  bar: TuneBar | undefined;
  /** accidentals of this bar by letter and by position */
  letterAccidentals: (number | undefined)[];
  positionAccidentals: Map<number, number>;
  tupletFactor: number;
  tupletLeft: number;
  /** factor of the next note after `>` or `<` */
  brokenFactor: number;
  /** the notes and the duration that a broken rhythm would change, and which may be tied */
  last: { notes: TuneNote[]; duration: number; bar: TuneBar; layer: number } | undefined;
  /** for the bar to come */
  opensRepeat: boolean;
  endings: number[] | undefined;
  pending: BarChange[];
}

export function parseAbc(text: string): Tune {
  return new AbcParser(text).parse();
}

class AbcParser {
  private readonly lines: string[];
  private readonly tune: Tune = { fields: [], voices: [], microsecondsPerBeat: DEFAULT_TEMPO, problems: [] };
  private readonly states = new Map<string, VoiceState>();
  private state: VoiceState;
  /** what a voice begins with */
  private readonly header: Settings & { program: number; drum: boolean } = {
    unit: WHOLE / 8,
    unitGiven: false,
    metre: undefined,
    key: { fifths: 0, minor: false },
    alterations: [0, 0, 0, 0, 0, 0, 0],
    transpose: 0,
    program: 0,
    drum: false,
  };
  private inHeader = true;
  private tempoGiven = false;
  private propagation: 'not' | 'octave' | 'pitch' = 'pitch';
  private lineNumber = 0;
  private line = '';
  private at = 0;

  constructor(text: string) {
    this.lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
    // Fields before the first V: belong to nobody; their state is never listed unless notes come.
    this.state = this.newState('');
  }

  parse(): Tune {
    let sawTune = false;
    for (const [index, line] of this.lines.entries()) {
      this.lineNumber = index + 1;
      this.line = line;
      this.at = 0;
      if (/^X:/.test(line)) {
        if (sawTune) break;
        sawTune = true;
      }
      this.readLine();
    }
    if (!sawTune) this.problemAt(1, 1, 'header', 'there is no X: field to begin the tune');
    if (this.inHeader) this.problemAt(this.lines.length, 1, 'header', 'there is no K: field to end the header');
    for (const state of this.states.values()) {
      this.state = state;
      this.closeBar();
    }
    this.tune.voices = [...this.states.values()].map((state) => state.voice).filter((voice) => voice.bars.length > 0);
    return this.tune;
  }

  // ---- lines and fields ----

  private readLine(): void {
    const { line } = this;
    if (line.startsWith('%%')) {
      this.directive(line.slice(2));
      return;
    }
    if (line.startsWith('%')) return;
    const field = FIELD_LINE.exec(line);
    if (field !== null && !(field[1] === 'w' || field[1] === 's' || field[1] === '+') && !/^[A-Za-z]:[|:]/.test(line)) {
      const value = field[2].replace(/(^|[^\\])%.*$/, '$1').trim();
      this.tune.fields.push({ letter: field[1], value, line: this.lineNumber });
      this.field(field[1], value, 1);
      return;
    }
    if (field !== null && /^[ws+]$/.test(field[1])) return;
    if (line.trim() === '') return;
    if (this.inHeader) {
      // Text before the first field of a file is allowed; music before K: is not.
      if (this.tune.fields.length > 0) {
        this.problem('header', 'music before the K: field that ends the header');
        this.endHeader();
      } else return;
    }
    this.music();
  }

  private field(letter: string, value: string, column: number): void {
    switch (letter) {
      case 'K': {
        const key = parseKey(value);
        if (key === undefined) this.problemAt(this.lineNumber, column, 'header', `K:${value} is no key`);
        if (key?.key !== undefined) this.set({ key: key.key, alterations: key.alterations });
        if (key?.transpose !== undefined) this.set({ transpose: key.transpose });
        if (this.inHeader) this.endHeader();
        else this.refreshBar();
        break;
      }
      case 'M': {
        const metre = parseMetre(value);
        if (metre === undefined) {
          this.problemAt(this.lineNumber, column, 'header', `M:${value} is no metre`);
          break;
        }
        this.set({ metre: metre === 'free' ? undefined : metre });
        if (this.inHeader && !this.header.unitGiven) this.header.unit = defaultUnit(this.header.metre);
        if (!this.inHeader) this.refreshBar();
        break;
      }
      case 'L': {
        const unit = parseUnit(value);
        if (unit === undefined) this.problemAt(this.lineNumber, column, 'header', `L:${value} is no note length`);
        else this.set({ unit, unitGiven: true });
        break;
      }
      case 'Q': {
        const tempo = parseTempo(value, this.inHeader ? this.header.unit : this.state.unit);
        if (tempo === undefined) this.problemAt(this.lineNumber, column, 'header', `Q:${value} is no tempo`);
        else if (tempo > 0) this.tempo(tempo);
        break;
      }
      case 'V':
        this.voiceField(value, column);
        break;
      case 'I':
        if (/^\s*MIDI\b/.test(value)) this.directive(value.trim().replace(/^MIDI\s*=?\s*/, 'MIDI '));
        break;
    }
  }

  /** A field holds for its voice from there on; in the header, and as long as no voice has begun, for all. */
  private set(settings: Partial<Settings>): void {
    const { state } = this;
    const beforeVoices =
      !this.inHeader && state.voice.id === '' && state.voice.bars.length === 0 && state.bar === undefined;
    if (this.inHeader || beforeVoices) Object.assign(this.header, settings);
    if (!this.inHeader) Object.assign(state, settings);
  }

  private tempo(microsecondsPerBeat: number): void {
    if (
      this.inHeader ||
      (!this.tempoGiven &&
        [...this.states.values()].every((state) => state.voice.bars.length === 0 && state.bar === undefined))
    ) {
      this.tune.microsecondsPerBeat = microsecondsPerBeat;
      this.tempoGiven = true;
    } else {
      this.change({ microsecondsPerBeat });
    }
  }

  /** A change at this moment: of the bar that is open, or of the one to come. */
  private change(change: Omit<BarChange, 'offset'>): void {
    const { bar, pending } = this.state;
    if (bar === undefined) pending.push({ offset: 0, ...change });
    else bar.changes.push({ offset: bar.layers.at(-1)!.duration, ...change });
  }

  private directive(text: string): void {
    const accidentals = /^propagate-accidentals\s+(not|octave|pitch)\b/.exec(text);
    if (accidentals !== null) this.propagation = accidentals[1] as 'not' | 'octave' | 'pitch';
    const midi = /^MIDI\s+(program|channel|transpose)\s+(-?\d+)(?:\s+(\d+))?/.exec(text);
    if (midi === null) return;
    const [, name, first, second] = midi;
    if (name === 'transpose') {
      if (Math.abs(Number(first)) <= 127) this.set({ transpose: Number(first) });
      return;
    }
    if (name === 'channel') {
      if (this.inHeader) this.header.drum = first === '10';
      else this.state.voice.drum = first === '10';
      return;
    }
    const program = Number(second ?? first);
    if (program < 0 || program > 127) {
      this.problem('range', `program ${program} is not one of MIDI's 0–127`);
    } else if (this.inHeader) {
      this.header.program = program;
    } else if (this.state.voice.bars.length === 0 && this.state.bar === undefined) {
      this.state.voice.program = program;
    } else {
      this.change({ program });
    }
  }

  private endHeader(): void {
    this.inHeader = false;
    for (const [id, state] of this.states) this.startVoice(state, id);
    this.startVoice(this.state, this.state.voice.id);
  }

  private newState(id: string): VoiceState {
    return {
      voice: { id, drum: false, program: 0, bars: [] },
      unit: WHOLE / 8,
      unitGiven: false,
      metre: undefined,
      key: { fifths: 0, minor: false },
      alterations: [],
      transpose: 0,
      bar: undefined,
      letterAccidentals: [],
      positionAccidentals: new Map(),
      tupletFactor: 1,
      tupletLeft: 0,
      brokenFactor: 1,
      last: undefined,
      opensRepeat: false,
      endings: undefined,
      pending: [],
    };
  }

  /** Gives a voice what the header says. */
  private startVoice(state: VoiceState, id: string): void {
    const { unit, unitGiven, metre, key, alterations, transpose, program, drum } = this.header;
    const own = state.transpose;
    Object.assign(state, { unit, unitGiven, metre, key, alterations: [...alterations], transpose: transpose + own });
    Object.assign(state.voice, { id, program, drum });
  }

  private voiceField(value: string, column: number): void {
    const id = /^\s*(\S+)/.exec(value)?.[1];
    if (id === undefined) {
      this.problemAt(this.lineNumber, column, 'header', 'V: names no voice');
      return;
    }
    let state = this.states.get(id);
    if (state === undefined) {
      if (this.states.size >= 256) {
        this.problemAt(this.lineNumber, column, 'header', 'more than 256 voices');
        return;
      }
      state = this.newState(id);
      if (!this.inHeader) this.startVoice(state, id);
      this.states.set(id, state);
    }
    const transpose = parseTranspose(value.replace(/\bclef=/, ' '));
    if (transpose !== undefined) state.transpose = (this.inHeader ? 0 : this.header.transpose) + transpose;
    if (!this.inHeader) this.state = state;
  }

  /** A metre or key inside a bar that is still empty is that bar's. */
  private refreshBar(): void {
    const { bar, metre, key } = this.state;
    if (bar !== undefined && bar.duration === 0) {
      bar.metre = metre;
      bar.key = key;
    }
    this.state.letterAccidentals.length = 0;
    this.state.positionAccidentals.clear();
  }

  // ---- music ----

  private music(): void {
    const { line } = this;
    while (this.at < line.length) {
      const c = line[this.at];
      if (c === ' ' || c === '\t' || c === '`' || c === '\\' || c === '$' || c === '*') this.at++;
      else if (c === '%') return;
      else if ((c >= 'A' && c <= 'G') || (c >= 'a' && c <= 'g') || c === '^' || c === '_' || c === '=')
        this.noteOrChord();
      else if (c === 'z' || c === 'x' || c === 'Z' || c === 'X') this.rest();
      else if (c === 'y') {
        this.at++;
        this.length();
      } else if (c === '[') this.bracket();
      else if (c === '|' || c === ':') this.barLine();
      else if (c === '.' && line[this.at + 1] === '|') this.barLine();
      else if (c === '-') this.tie();
      else if (c === '>' || c === '<') this.broken();
      else if (c === '(') this.tupletOrSlur();
      else if (c === ')') this.at++;
      else if (c === '"') this.skip(QUOTED, 'a chord symbol or annotation');
      else if (c === '{') this.skip(GRACE, 'grace notes');
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
    return pattern.exec(this.line);
  }

  /** Passes over what does not sound. */
  private skip(pattern: RegExp, what: string): void {
    const match = this.match(pattern);
    if (match === null) {
      this.problem('syntax', `${what} begins here and does not end in its line`);
      this.at++;
    } else this.at += match[0].length;
  }

  private openBar(): TuneBar {
    const { state } = this;
    if (state.bar === undefined) {
      if (state.voice.id === '' && !this.states.has('')) this.states.set('', state);
      state.bar = {
        line: this.lineNumber,
        column: this.at + 1,
        duration: 0,
        layers: [{ notes: [], duration: 0 }],
        metre: state.metre,
        key: state.key,
        changes: state.pending.splice(0),
        opensRepeat: state.opensRepeat,
        closesRepeat: 0,
        doubleBar: false,
        endings: state.endings,
      };
      state.opensRepeat = false;
      state.endings = undefined;
      state.letterAccidentals.length = 0;
      state.positionAccidentals.clear();
    }
    return state.bar;
  }

  /** Ends the bar, if notes, rests or changes have begun one. */
  private closeBar(): TuneBar | undefined {
    const { state } = this;
    const { bar } = state;
    if (bar === undefined) return undefined;
    if (state.brokenFactor !== 1) this.problem('syntax', 'a broken rhythm (> or <) without a note after it');
    state.brokenFactor = 1;
    bar.duration = 0;
    for (const layer of bar.layers) bar.duration = Math.max(bar.duration, layer.duration);
    state.bar = undefined;
    if (bar.duration === 0) {
      // No sound and no rest: what it has belongs to what follows.
      state.opensRepeat ||= bar.opensRepeat;
      state.endings ??= bar.endings;
      state.pending.push(...bar.changes);
      return undefined;
    }
    state.voice.bars.push(bar);
    return bar;
  }

  private barLine(): void {
    const match = this.match(BAR_LINE);
    if (match === null) {
      this.problem('syntax', '":" stands alone; a repeat is |: or :|');
      this.at++;
      return;
    }
    const sign = match[0];
    const bars = this.state.voice.bars;
    const ended = this.closeBar() ?? bars.at(-1);
    const before = /^:*/.exec(sign)![0].length;
    const after = /:*$/.exec(sign)![0].length;
    const onlyColons = before === sign.length;
    const closes = onlyColons ? Math.floor(before / 2) : before;
    const opens = onlyColons ? Math.ceil(before / 2) : after;
    if (ended !== undefined) {
      ended.closesRepeat = Math.min(8, Math.max(ended.closesRepeat, closes));
      if (/\|\||\|\]|\[\|/.test(sign)) ended.doubleBar = true;
    }
    if (opens > 0) this.state.opensRepeat = true;
    this.at += sign.length;
    const ending = this.match(ENDING);
    if (ending !== null && (ending[0][0] !== '[' || /\d/.test(this.line[this.at + 1] ?? ''))) this.ending(ending);
  }

  private ending(match: RegExpExecArray): void {
    this.closeBar();
    const passes: number[] = [];
    for (const part of match[1].split(',')) {
      const [from, to] = part.split('-').map(Number);
      for (let pass = from; pass <= Math.min(to ?? from, from + 16); pass++) passes.push(pass);
    }
    this.state.endings = passes;
    this.at += match[0].length;
  }

  /** `[`: a chord, an inline field, an ending, or a bar line. */
  private bracket(): void {
    const next = this.line[this.at + 1];
    const field = this.match(INLINE_FIELD);
    if (field !== null) {
      const column = this.at + 1;
      this.at += field[0].length;
      this.tune.fields.push({ letter: field[1], value: field[2].trim(), line: this.lineNumber });
      this.field(field[1], field[2].trim(), column);
    } else if (next === '|') this.barLine();
    else if (next !== undefined && next >= '0' && next <= '9') this.ending(this.match(ENDING)!);
    else if (next === '"') {
      // A named ending, ["last": shown, not followed.
      this.at++;
    } else this.noteOrChord();
  }

  private noteOrChord(): void {
    const { line, state } = this;
    const column = this.at + 1;
    const chord = line[this.at] === '[';
    if (chord) this.at++;
    const bar = this.openBar();
    const layer = bar.layers.at(-1)!;
    const notes: TuneNote[] = [];
    // A chord lasts as long as its first note (standard 2.1, §4.17).
    let duration = -1;
    let inner = false;
    while (this.at < line.length) {
      const c = line[this.at];
      if (chord && c === ']') break;
      if ((c >= 'A' && c <= 'G') || (c >= 'a' && c <= 'g') || c === '^' || c === '_' || c === '=') {
        const note = this.note(layer.duration);
        if (note !== undefined) {
          if (duration < 0) duration = note.duration;
          if (note.pitch >= 0) notes.push(note);
        }
        inner = true;
      } else if (chord && (c === '-' || c === '.')) {
        if (c === '-' && notes.length > 0) notes.at(-1)!.tied = true;
        this.at++;
      } else if (chord && c === '"') this.skip(QUOTED, 'an annotation');
      else if (chord && (c === '!' || c === '+')) this.skip(DECORATION, 'a decoration');
      else if (chord && (c === ' ' || c === '(' || c === ')' || (SHORTHAND.test(c) && c !== '|'))) this.at++;
      else if (chord && (c === 'z' || c === 'x')) {
        this.at++;
        const rest = this.length() * state.unit;
        if (duration < 0) duration = rest;
        inner = true;
      } else break;
      if (!chord) break;
    }
    let factor = this.takeFactor();
    if (chord) {
      if (line[this.at] === ']') this.at++;
      else this.problemAt(this.lineNumber, column, 'syntax', 'a chord begins here and is not closed with ]');
      if (!inner) {
        this.problemAt(this.lineNumber, column, 'syntax', 'a chord without a note');
        return;
      }
      factor *= this.length();
    }
    if (duration < 0) return;
    for (const note of notes) note.duration = this.bounded(note.duration * factor);
    duration = this.bounded(duration * factor);
    for (const note of notes) layer.notes.push(note);
    layer.duration += duration;
    bar.duration = Math.max(bar.duration, layer.duration);
    state.last = { notes, duration, bar, layer: bar.layers.length - 1 };
  }

  /** One note of a chord or alone; undefined where accidentals have no letter after them. A pitch beyond MIDI is −1. */
  private note(start: number): TuneNote | undefined {
    const { line, state } = this;
    const column = this.at + 1;
    let explicit: number | undefined;
    while (line[this.at] === '^' || line[this.at] === '_' || line[this.at] === '=') {
      explicit = (explicit ?? 0) + (line[this.at] === '^' ? 1 : line[this.at] === '_' ? -1 : 0);
      this.at++;
    }
    const index = this.at < line.length ? LETTERS.indexOf(line[this.at]) : -1;
    if (index < 0) {
      this.problemAt(this.lineNumber, column, 'syntax', 'an accidental without a note');
      return undefined;
    }
    this.at++;
    const letter = index % 7;
    let octave = index < 7 ? 5 : 6;
    for (; line[this.at] === ',' || line[this.at] === "'"; this.at++) octave += line[this.at] === ',' ? -1 : 1;
    const position = 7 * octave + letter;
    if (explicit !== undefined && Math.abs(explicit) > 2) {
      this.problemAt(this.lineNumber, column, 'syntax', 'more than two sharps or flats on a note');
      explicit = Math.sign(explicit) * 2;
    }
    let alteration = explicit;
    if (alteration === undefined) {
      alteration =
        (this.propagation === 'pitch'
          ? state.letterAccidentals[letter]
          : this.propagation === 'octave'
            ? state.positionAccidentals.get(position)
            : undefined) ??
        state.alterations[letter] ??
        0;
    } else {
      state.letterAccidentals[letter] = alteration;
      state.positionAccidentals.set(position, alteration);
    }
    let pitch = pitchAt(position, alteration) + state.transpose;
    const duration = this.length() * state.unit;
    if (pitch < 0 || pitch > 127) {
      this.problemAt(
        this.lineNumber,
        column,
        'range',
        `this note is ${pitch < 0 ? 'below' : 'above'} all MIDI pitches`,
      );
      pitch = -1;
    }
    return {
      start,
      duration,
      pitch,
      position,
      explicit: explicit !== undefined,
      tied: false,
      line: this.lineNumber,
      column,
    };
  }

  /** `3/2`, `/`, `//`, `4`, nothing: a multiple of the unit. */
  private length(): number {
    const { line } = this;
    let numerator = this.digits() ?? 1;
    while (line[this.at] === '/') {
      this.at++;
      numerator /= this.digits() ?? 2;
    }
    if (!Number.isFinite(numerator)) numerator = 0;
    if (numerator === 0) {
      this.problem('range', 'a length of nothing');
      return 1;
    }
    return numerator;
  }

  private digits(): number | undefined {
    const { line } = this;
    const from = this.at;
    while (this.at < line.length && line[this.at] >= '0' && line[this.at] <= '9') this.at++;
    return this.at === from ? undefined : Number(line.slice(from, this.at));
  }

  private bounded(duration: number): number {
    if (duration > LONGEST_NOTE) {
      this.problem('range', `a note of ${Math.round(duration / WHOLE)} whole notes`);
      return LONGEST_NOTE;
    }
    return Math.max(1, Math.round(duration));
  }

  /** What tuplets and broken rhythm make of the next duration. */
  private takeFactor(): number {
    const { state } = this;
    let factor = state.brokenFactor;
    state.brokenFactor = 1;
    if (state.tupletLeft > 0) {
      factor *= state.tupletFactor;
      state.tupletLeft--;
    }
    return factor;
  }

  private rest(): void {
    const { state, line } = this;
    const wholeBars = line[this.at] === 'Z' || line[this.at] === 'X';
    this.at++;
    const bar = this.openBar();
    const layer = bar.layers.at(-1)!;
    if (wholeBars) {
      const count = this.digits() ?? 1;
      if (count < 1 || count > LONGEST_REST_IN_BARS) {
        this.problem('range', `a rest of ${count} bars`);
        return;
      }
      const duration = state.metre === undefined ? WHOLE : metreDuration(state.metre);
      for (let i = 0; i < count; i++) {
        const current = this.openBar();
        current.layers.at(-1)!.duration += duration;
        current.duration = duration;
        if (i + 1 < count) this.closeBar();
      }
      return;
    }
    const duration = this.bounded(this.length() * state.unit * this.takeFactor());
    layer.duration += duration;
    bar.duration = Math.max(bar.duration, layer.duration);
    state.last = { notes: [], duration, bar, layer: bar.layers.length - 1 };
  }

  private tie(): void {
    const { last } = this.state;
    if (last === undefined || last.notes.length === 0) this.problem('tie', 'a tie without a note before it');
    else for (const note of last.notes) note.tied = true;
    this.at++;
  }

  private broken(): void {
    const { line, state } = this;
    const sign = line[this.at];
    let count = 0;
    while (line[this.at] === sign) {
      this.at++;
      count++;
    }
    const { last, bar } = state;
    if (last === undefined || last.bar !== bar || last.layer !== bar.layers.length - 1 || count > 3) {
      this.problem('syntax', 'a broken rhythm (> or <) without a note before it');
      return;
    }
    const short = 2 ** -count;
    const factor = sign === '>' ? 2 - short : short;
    const layer = bar.layers.at(-1)!;
    const changed = Math.max(1, Math.round(last.duration * factor));
    for (const note of last.notes) note.duration = Math.max(1, Math.round(note.duration * factor));
    layer.duration += changed - last.duration;
    last.duration = changed;
    state.brokenFactor = 2 - factor;
  }

  private tupletOrSlur(): void {
    const match = this.match(TUPLET);
    if (match === null) {
      this.at++;
      return;
    }
    const { state } = this;
    this.at += match[0].length;
    const p = Number(match[1]);
    const compound = state.metre !== undefined && state.metre.numerator % 3 === 0 && state.metre.numerator > 3;
    const q = match[2] ? Number(match[2]) : TUPLET_TIME[p] || (compound ? 3 : 2);
    const r = match[3] ? Number(match[3]) : p;
    if (p < 2 || p > 64 || q < 1 || q > 64 || r < 1 || r > 64) {
      this.problem('syntax', `(${match[0].slice(1)} is no tuplet`);
      return;
    }
    state.tupletFactor = q / p;
    state.tupletLeft = r;
  }

  private overlay(): void {
    const bar = this.openBar();
    this.at++;
    if (bar.layers.length >= 64) {
      this.problem('syntax', 'more than 64 layers in a bar');
      return;
    }
    bar.layers.push({ notes: [], duration: 0 });
    this.state.last = undefined;
  }

  private problem(kind: ProblemKind, message: string): void {
    this.problemAt(this.lineNumber, this.at + 1, kind, message);
  }

  private problemAt(line: number, column: number, kind: ProblemKind, message: string): void {
    const { problems } = this.tune;
    const last = problems.at(-1);
    const twice = last !== undefined && last.line === line && last.column === column && last.kind === kind;
    if (problems.length < MAX_PROBLEMS && !twice) problems.push({ line, column, message, kind });
  }
}

function printable(c: string): string {
  return c < ' ' || c > '~' ? `U+${c.codePointAt(0)!.toString(16).padStart(4, '0')}` : c;
}
