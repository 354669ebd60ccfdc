/**
 * A tune of the dialect of docs/music.md, read one character at a time: header, voices, bars.
 *
 * A generator asks before each character (or token of several characters) whether it may come next. Every text that is
 * accepted is the beginning of a tune in which checkAbc finds no problem, and `mayEnd` says whether it is a whole one.
 *
 *     const state = new TuneState({ grid: 16 });
 *     state.accept('X'); // true: a tune begins with X:1
 *     state.accept('2'); // false: a colon must follow. The state is then not usable; make a `copy` to try a character
 */
import { MAX_PITCHED_VOICES } from '../model/index.ts';
import { BarState } from './bar-state.ts';
import { type LengthNode, lengthTree } from './lengths.ts';
import { signatureOf } from './note-state.ts';
import { barSteps, beginsValue, fifthsOf, isValue, type ValueKind } from './values.ts';

/** The pitched voices and the drums. */
const MAX_VOICES = MAX_PITCHED_VOICES + 1;
/** Bars of a line that has one voice. */
const BARS_PER_LINE = 4;

/** The header up to K: texts, and the kinds of values between them. */
const HEADER: readonly { text: string; value: ValueKind }[] = [
  { text: 'X:1\nM:', value: 'metre' },
  { text: '\nL:1/', value: 'unit' },
  { text: '\nQ:1/4=', value: 'tempo' },
  { text: '\nK:', value: 'key' },
];
const DRUMS = '%%MIDI channel 10\n';
const PROGRAM = '%%MIDI program ';

/** The position in the grammar of a tune. The comment names the next element. */
type Place =
  /** a part of the header */
  | 'header'
  /** after K: or the settings of a voice: settings, a voice, or music */
  | 'settings'
  /** the rest of a text that can only continue in one way */
  | 'text'
  /** the rest of one of the two directives of a voice */
  | 'directive'
  /** the number of a program */
  | 'program'
  /** a bar of the current voice */
  | 'bar'
  /** after a bar, if the tune has one voice or one voice after another: a bar or the end of the line */
  | 'after bar'
  /** a line of music, a voice, or the end of the tune */
  | 'line'
  /** a voice, if one follows another, or the end of the tune */
  | 'voice end';

/** The state of one voice that its next bar starts from. */
interface VoiceState {
  signature: readonly number[];
  /** pitches tied over the last bar line */
  tied: readonly number[];
}

/** Where the bars of a tune of several voices stand: unknown until the first bar begins. */
type Order = 'one voice' | 'interleaved' | 'voices' | undefined;

/** The state after a beginning of a tune. It is changed by `accept`; `copy` keeps an earlier state. */
export class TuneState {
  readonly #grid: number;
  readonly #tuplets: boolean;
  #place: Place = 'header';
  #part = 0;
  #typed = '';
  /** the text that must follow, and how much of it was read */
  #text = '';
  /** the place after that text */
  #then: Place = 'settings';

  #order: Order;
  /** the length of a bar in the metre in force */
  #steps = 0;
  #signature: readonly number[] = signatureOf(0);
  #lengths: LengthNode | undefined;
  #voices: readonly VoiceState[] = [];
  /** index of the current voice */
  #voice = 0;
  #bar: BarState | undefined;
  /** a bar to try characters on */
  #trial: BarState | undefined;
  /** bars of the current voice, or of all voices if they are interleaved */
  #bars = 0;
  /** with one voice after another: the metre field that the first voice has in each bar */
  #metres: readonly (string | undefined)[] = [];
  /** the metre field that the first voice has in this bar, if the voices are interleaved */
  #barMetre: string | undefined;
  #firstMetre = '';
  #sounds = false;

  /**
   * @param options.grid steps per quarter note, a power of two up to 32: the shortest note without a tuplet is one step
   * @param options.tuplets whether there are triplets and quintuplets
   */
  constructor({ grid = 16, tuplets = true }: { grid?: number; tuplets?: boolean } = {}) {
    this.#grid = grid;
    this.#tuplets = tuplets;
  }

  /** A state that changes on its own. */
  copy(): TuneState {
    const copy = new TuneState({ grid: this.#grid, tuplets: this.#tuplets });
    copy.#become(this);
    return copy;
  }

  #become(other: TuneState): void {
    this.#place = other.#place;
    this.#part = other.#part;
    this.#typed = other.#typed;
    this.#text = other.#text;
    this.#then = other.#then;
    this.#order = other.#order;
    this.#steps = other.#steps;
    this.#signature = other.#signature;
    this.#lengths = other.#lengths;
    this.#voices = other.#voices;
    this.#voice = other.#voice;
    this.#bar = other.#bar?.copy();
    this.#bars = other.#bars;
    this.#metres = other.#metres;
    this.#barMetre = other.#barMetre;
    this.#firstMetre = other.#firstMetre;
    this.#sounds = other.#sounds;
  }

  /**
   * Whether a text may come next. The state does not change.
   *
   * Most texts are a character or a few within a bar, and most of those that may not come fail at the first character.
   * So that is looked at first, and a copy of the bar is tried before a copy of the whole state is made.
   */
  mayAccept(text: string): boolean {
    if (this.#place === 'text' && text[0] !== this.#text[this.#typed.length]) return false;
    const bar = this.#place === 'bar' ? this.#bar : undefined;
    if (bar === undefined) return this.copy().acceptAll(text) === text.length;
    if (!bar.isPlausible(text[0])) return false;
    const trial = (this.#trial ??= bar.copy());
    trial.become(bar);
    for (let i = 0; i < text.length; i++) {
      if (!trial.accept(text[i])) return false;
      // What comes after the bar is not the bar's to say.
      if (trial.ended) return i === text.length - 1 || this.copy().acceptAll(text) === text.length;
    }
    return true;
  }

  /** Whether the text is a whole tune: every line is complete, every tie is continued, and there is a note. */
  get mayEnd(): boolean {
    if (!this.#sounds || !this.#isClosed()) return false;
    if (this.#order === 'voices') return this.#place === 'voice end' && this.#voice > 0;
    return this.#place === 'line' || this.#place === 'voice end';
  }

  /** Reads one character. Returns false if the character is not allowed here; do not use the state after that. */
  accept(c: string): boolean {
    switch (this.#place) {
      case 'header':
        return this.#acceptHeader(c);
      case 'settings':
        return this.#acceptSettings(c);
      case 'text':
        return this.#acceptText(c);
      case 'directive':
        return this.#acceptDirective(c);
      case 'program':
        return this.#acceptProgram(c);
      case 'bar':
        return this.#acceptInBar(c);
      case 'after bar':
        return this.#acceptAfterBar(c);
      case 'line':
        return this.#acceptLine(c);
      case 'voice end':
        return c === 'V' && this.#order === 'voices' && this.#nextVoice();
    }
  }

  /** Reads a text. Returns the number of its characters that may come here: its length if all may. */
  acceptAll(text: string): number {
    for (let i = 0; i < text.length; i++) if (!this.accept(text[i])) return i;
    return text.length;
  }

  // ---- header and voices ----

  #acceptHeader(c: string): boolean {
    const { text, value } = HEADER[this.#part];
    if (this.#typed.length < text.length) {
      this.#typed += c;
      return text.startsWith(this.#typed);
    }
    const typed = this.#typed.slice(text.length);
    if (c !== '\n') {
      this.#typed += c;
      return beginsValue(value, typed + c, this.#grid);
    }
    if (!isValue(value, typed)) return false;
    this.#setHeader(value, typed);
    this.#part++;
    this.#typed = '\n';
    if (this.#part === HEADER.length) this.#place = 'settings';
    return true;
  }

  #setHeader(kind: ValueKind, value: string): void {
    if (kind === 'metre') {
      this.#firstMetre = value;
      this.#steps = barSteps(value, this.#grid);
    } else if (kind === 'unit') this.#lengths = lengthTree((4 * this.#grid) / Number(value));
    else if (kind === 'key') this.#signature = signatureOf(fifthsOf(value));
  }

  #acceptSettings(c: string): boolean {
    if (c === '%') {
      this.#place = 'directive';
      this.#typed = c;
      return true;
    }
    if (c === 'V' && this.#order !== 'one voice') return this.#voices.length < MAX_VOICES && this.#expectVoice();
    if (this.#voices.length > 1 && this.#order === undefined) {
      this.#order = 'interleaved';
      this.#expect('[V:1]', 'bar');
      return this.#acceptText(c);
    }
    if (this.#order === undefined) {
      this.#order = this.#voices.length === 0 ? 'one voice' : 'voices';
      if (this.#voices.length === 0) this.#addVoice();
    }
    this.#beginBar();
    return this.#acceptInBar(c);
  }

  /** `V:2` and a new line, of which the V was read. */
  #expectVoice(): boolean {
    this.#addVoice();
    this.#expect(`:${this.#voices.length}\n`, 'settings');
    return true;
  }

  #addVoice(): void {
    this.#voices = [...this.#voices, { signature: this.#signature, tied: [] }];
  }

  #acceptDirective(c: string): boolean {
    this.#typed += c;
    if (this.#typed === PROGRAM) {
      this.#typed = '';
      this.#place = 'program';
    } else if (this.#typed === DRUMS) this.#place = 'settings';
    return PROGRAM.startsWith(this.#typed) || DRUMS.startsWith(this.#typed);
  }

  #acceptProgram(c: string): boolean {
    if (c === '\n') {
      this.#place = 'settings';
      return this.#typed !== '';
    }
    this.#typed += c;
    return beginsValue('program', this.#typed, this.#grid);
  }

  #expect(text: string, then: Place): void {
    this.#text = text;
    this.#then = then;
    this.#typed = '';
    this.#place = 'text';
  }

  #acceptText(c: string): boolean {
    if (c !== this.#text[this.#typed.length]) return false;
    this.#typed += c;
    if (this.#typed.length === this.#text.length) {
      this.#place = this.#then;
      if (this.#then === 'bar') this.#beginBar();
    }
    return true;
  }

  // ---- bars and lines ----

  #beginBar(): void {
    const voice = this.#voices[this.#voice];
    this.#place = 'bar';
    this.#bar = new BarState({
      grid: this.#grid,
      lengths: this.#lengths!,
      steps: this.#steps,
      metre: this.#metreRule(),
      tempo: this.#voice === 0,
      signature: voice.signature,
      tied: voice.tied,
      tuplets: this.#tuplets,
      last: this.#order === 'voices' && this.#voice > 0 && this.#bars === this.#metres.length - 1,
    });
  }

  /** The first voice may change the metre of a bar. The other voices must then have the same field. */
  #metreRule(): 'free' | 'none' | { value: string } {
    if (this.#voice === 0) return 'free';
    const value = this.#order === 'voices' ? this.#metres[this.#bars] : this.#barMetre;
    return value === undefined ? 'none' : { value };
  }

  #acceptInBar(c: string): boolean {
    const bar = this.#bar!;
    if (!bar.accept(c)) return false;
    if (bar.ended) this.#endBar(bar);
    return true;
  }

  #endBar(bar: BarState): void {
    const { signature } = this.#voices[this.#voice];
    const next = { signature: bar.fifths === undefined ? signature : signatureOf(bar.fifths), tied: bar.tiedOver };
    this.#voices = this.#voices.map((voice, v) => (v === this.#voice ? next : voice));
    this.#sounds ||= bar.sounds;
    this.#bar = undefined;
    if (this.#order === 'interleaved') this.#endBarOfLine(bar);
    else {
      this.#setMetre(bar.metre);
      if (this.#order === 'voices' && this.#voice === 0) this.#metres = [...this.#metres, bar.metre];
      this.#bars++;
      this.#place = 'after bar';
    }
  }

  /** Interleaved: the next voice of the line follows, or the end of the line. */
  #endBarOfLine(bar: BarState): void {
    if (this.#voice === 0) this.#barMetre = bar.metre;
    if (this.#voice < this.#voices.length - 1) {
      // The metre changes for the next voice when it has read its own field.
      this.#voice++;
      this.#expect(`[V:${this.#voice + 1}]`, 'bar');
      return;
    }
    this.#setMetre(this.#barMetre);
    this.#voice = 0;
    this.#bars++;
    this.#expect('\n', 'line');
  }

  #setMetre(metre: string | undefined): void {
    if (metre !== undefined) this.#steps = barSteps(metre, this.#grid);
  }

  /** One voice, or one voice after another: another bar of the line, or its end. */
  #acceptAfterBar(c: string): boolean {
    const lineIsFull = this.#bars % BARS_PER_LINE === 0;
    const voiceIsFull = this.#voice > 0 && this.#bars === this.#metres.length;
    if (c !== '\n') {
      if (lineIsFull || voiceIsFull) return false;
      this.#beginBar();
      return this.#acceptInBar(c);
    }
    if (lineIsFull && !voiceIsFull) {
      this.#place = 'line';
      return true;
    }
    // A line that is not full ends the voice, so nothing may be left open. Later voices end with the first one's bars.
    this.#place = 'voice end';
    return voiceIsFull || (this.#voice === 0 && this.#isClosed() && (this.#order === 'voices' || this.#sounds));
  }

  #acceptLine(c: string): boolean {
    if (this.#order === 'interleaved') {
      this.#expect('[V:1]', 'bar');
      return this.#acceptText(c);
    }
    if (c === 'V') return this.#order === 'voices' && this.#voice === 0 && this.#isClosed() && this.#nextVoice();
    this.#beginBar();
    return this.#acceptInBar(c);
  }

  #nextVoice(): boolean {
    if (this.#voices.length >= MAX_VOICES) return false;
    this.#voice++;
    this.#bars = 0;
    this.#steps = barSteps(this.#firstMetre, this.#grid);
    return this.#expectVoice();
  }

  /** Whether no voice has a tie that waits for the next bar. */
  #isClosed(): boolean {
    return this.#voices.every(({ tied }) => tied.length === 0);
  }
}
