/**
 * One bar of one voice, read one character at a time: fields, then `Z` or layers of notes, chords and rests, then `|`.
 *
 * `accept` takes a character only if the bar can still be completed after it, so no text leads to a dead end. In a
 * complete bar the durations of each layer sum to the metre, and each tuplet ends at a point where one may end. Each
 * tie is continued by a note of the same pitch where the tied note ends; over the bar line, in any layer.
 */
import { UNITS_PER_STEP } from '../model/index.ts';
import type { BarSetting } from './bar-setting.ts';
import { FieldState } from './field-state.ts';
import type { LengthNode } from './lengths.ts';
import { NoteState, signatureOf, without } from './note-state.ts';
import { NO_TUPLETS, type TupletState, tupletsAt } from './tuplet-state.ts';
import { barSteps, fifthsOf } from './values.ts';

/** The layers of a bar. Two further layers would need more MIDI channels than there are. */
const MAX_LAYERS = 15;

/** How often a pitch may come in a chord. */
const MAX_UNISONS = 8;
const MAX_PITCH = 127;

/** The position in the grammar of a bar. The comment names the last element read. */
type Place =
  /** nothing, or a field */
  | 'start'
  /** `[` */
  | 'bracket'
  /** the letter of a field, or more of the field */
  | 'field'
  /** a beginning of `(3` or `(3:2:4` */
  | 'tuplet'
  /** a beginning of a note: its accidental, or its letter with octave marks */
  | 'note'
  /** `-` in a chord */
  | 'chord tie'
  /** a note, the end of a chord, or a rest, with a beginning of its length */
  | 'length'
  /** a whole note, chord or rest, and its tie; or `&` */
  | 'piece'
  /** `Z` */
  | 'silent bar'
  /** `|` */
  | 'end';

const NOTHING: readonly never[] = [];
/** The first characters of a note, a chord, a rest, a tuplet and a field. */
const BEGINS_PIECE: ReadonlySet<string> = new Set('[(z^_=CDEFGABcdefgab');
/** The order of the fields of a bar. */
const FIELD_ORDER = 'MKQ';

/** The state after a beginning of a bar. It is changed by `accept`; `copy` keeps an earlier state. */
export class BarState {
  #setting: BarSetting;
  #place: Place = 'start';
  /** the value of the metre field, if there was one */
  metre: string | undefined;
  /** the number of sharps that a key field set, if there was one */
  fifths: number | undefined;
  /** whether the bar has a note */
  sounds = false;
  /** pitches of the notes that are tied over the bar line, from the layers read so far */
  tiedOver: readonly number[] = NOTHING;

  #fields = 0;
  readonly #field = new FieldState();
  #typed = '';
  /** units of the bar */
  #units: number;
  #signature: readonly number[];
  /** accidentals of this bar by letter; NaN if there was none */
  #accidentals: readonly number[] | undefined;

  #layers = 1;
  /** units of the layer that are left */
  #left: number;
  /** the tuplet that the current note is in */
  #tuplet: TupletState | undefined;
  /** pitches tied from the bar before that no layer has continued yet */
  #due: readonly number[];
  /** pitches that the next note or chord must have */
  #must: readonly number[] = NOTHING;
  /** the pitches that the current note may have: from the lowest to the highest */
  #lowest = 0;
  #highest = MAX_PITCH;
  /** whether the piece before was a program field: two in a row would say nothing */
  #afterProgram = false;

  #inChord = false;
  #rest = false;
  readonly #note = new NoteState();
  /** pitches of the current note or chord, and those among them that are tied */
  #pitches: readonly number[] = NOTHING;
  #ties: readonly number[] = NOTHING;
  #length: LengthNode;

  constructor(setting: BarSetting) {
    this.#setting = setting;
    this.#units = this.#left = setting.steps * UNITS_PER_STEP;
    this.#signature = setting.signature;
    this.#due = setting.tied;
    this.#length = setting.lengths;
  }

  /** A state that changes on its own. */
  copy(): BarState {
    const copy = new BarState(this.#setting);
    copy.become(this);
    return copy;
  }

  /** Takes over the state of another bar, as a copy that needs no new object. */
  become(other: BarState): void {
    this.#setting = other.#setting;
    this.#place = other.#place;
    this.metre = other.metre;
    this.fifths = other.fifths;
    this.sounds = other.sounds;
    this.tiedOver = other.tiedOver;
    this.#fields = other.#fields;
    this.#field.become(other.#field);
    this.#typed = other.#typed;
    this.#units = other.#units;
    this.#tuplet = other.#tuplet;
    this.#signature = other.#signature;
    this.#accidentals = other.#accidentals;
    this.#layers = other.#layers;
    this.#left = other.#left;
    this.#due = other.#due;
    this.#must = other.#must;
    this.#lowest = other.#lowest;
    this.#highest = other.#highest;
    this.#afterProgram = other.#afterProgram;
    this.#inChord = other.#inChord;
    this.#rest = other.#rest;
    this.#note.become(other.#note);
    this.#pitches = other.#pitches;
    this.#ties = other.#ties;
    this.#length = other.#length;
  }

  /** Whether the bar line was read. */
  get ended(): boolean {
    return this.#place === 'end';
  }

  /**
   * Whether a character is of a kind that can come next, which is quick to say. If it is not, `accept` would return
   * false; if it is, `accept` may still do so.
   */
  isPlausible(c: string): boolean {
    switch (this.#place) {
      case 'start':
        return c === 'Z' || BEGINS_PIECE.has(c);
      case 'piece':
        return this.#left > 0 ? BEGINS_PIECE.has(c) : c === '|' || c === '&';
      case 'length': {
        if (this.#length.next.get(c)?.durations.some((steps) => this.#fits(steps))) return true;
        const { steps } = this.#length;
        if (steps === undefined || !this.#fits(steps)) return false;
        return c === '-' || (this.#unitsOf(steps) < this.#left ? BEGINS_PIECE.has(c) : c === '|' || c === '&');
      }
      default:
        return true;
    }
  }

  /** Reads one character. Returns false if the character is not allowed here; do not use the state after that. */
  accept(c: string): boolean {
    switch (this.#place) {
      case 'start':
        return this.#acceptStart(c);
      case 'bracket':
        return this.#acceptAfterBracket(c);
      case 'field': {
        const read = this.#field.accept(c, this.#setting);
        return read === 'ended' ? this.#endField() : read === 'accepted';
      }
      case 'tuplet':
        return this.#acceptTuplet(c);
      case 'note':
        return this.#acceptInNote(c);
      case 'chord tie':
        return this.#acceptInChord(c);
      case 'length':
        return this.#acceptAfterLength(c);
      case 'piece':
        return this.#acceptAfterPiece(c);
      case 'silent bar':
        this.#place = 'end';
        return c === '|';
      case 'end':
        return false;
    }
  }

  // ---- fields ----

  #acceptStart(c: string): boolean {
    const { metre } = this.#setting;
    if (typeof metre === 'object' && this.metre === undefined && c !== '[') return false;
    if (c === 'Z') {
      this.#place = 'silent bar';
      return this.#due.length === 0;
    }
    return this.#acceptPiece(c);
  }

  #acceptAfterBracket(c: string): boolean {
    const letter = this.#place === 'bracket' && this.#typed === 'start' ? FIELD_ORDER.indexOf(c) : -1;
    if (c !== 'I' && letter < 0) return this.#beginChord(c);
    this.#field.begin(c);
    this.#place = 'field';
    if (c === 'I') return !this.#afterProgram && !this.#metreIsMissing();
    if (letter < this.#fields) return false;
    this.#fields = letter + 1;
    if (c === 'M') return this.#setting.metre !== 'none';
    return !this.#metreIsMissing() && (c === 'K' || this.#setting.tempo);
  }

  #beginChord(c: string): boolean {
    if (this.#metreIsMissing()) return false;
    this.#beginPiece();
    this.#inChord = true;
    return this.#acceptChordNote(c);
  }

  #metreIsMissing(): boolean {
    return typeof this.#setting.metre === 'object' && this.metre === undefined;
  }

  #endField(): boolean {
    const { letter, value } = this.#field;
    if (letter === 'M') {
      this.metre = value;
      this.#units = this.#left = barSteps(value, this.#setting.grid) * UNITS_PER_STEP;
    } else if (letter === 'K') {
      this.fifths = fifthsOf(value);
      this.#signature = signatureOf(this.fifths);
    }
    this.#afterProgram = letter === 'I';
    this.#place = this.#afterProgram ? 'piece' : 'start';
    return true;
  }

  // ---- notes, chords and rests ----

  /** The beginning of a note, chord or rest, or a field before it. */
  #acceptPiece(c: string): boolean {
    if (this.#left <= 0) return false;
    if (c === '[') {
      this.#typed = this.#place === 'start' ? 'start' : '';
      this.#place = 'bracket';
      return true;
    }
    if (c === '(') {
      this.#place = 'tuplet';
      this.#typed = c;
      return this.#tupletTexts().size > 0;
    }
    this.#beginPiece();
    if (c === 'z') {
      this.#rest = true;
      this.#place = 'length';
      return this.#must.length === 0;
    }
    if (this.#must.length > 1) return false;
    if (this.#must.length === 1) this.#lowest = this.#highest = this.#must[0];
    return this.#acceptNote(c);
  }

  /** The texts that may begin a tuplet here, and the tuplets. */
  #tupletTexts(): ReadonlyMap<string, TupletState> {
    const { tuplets, grid } = this.#setting;
    if (!tuplets || this.#tuplet !== undefined) return NO_TUPLETS;
    return tupletsAt(this.#units - this.#left, this.#left, grid * UNITS_PER_STEP);
  }

  /** A character of `(3:2:4`, or the first of the tuplet's notes. */
  #acceptTuplet(c: string): boolean {
    const texts = this.#tupletTexts();
    const typed = this.#typed + c;
    for (const text of texts.keys()) {
      if (!text.startsWith(typed)) continue;
      this.#typed = typed;
      return true;
    }
    this.#tuplet = texts.get(this.#typed);
    this.#place = 'piece';
    return this.#tuplet !== undefined && this.#acceptPiece(c);
  }

  #beginPiece(): void {
    this.#inChord = this.#rest = this.#afterProgram = false;
    this.#lowest = 0;
    this.#highest = MAX_PITCH;
    this.#pitches = this.#ties = NOTHING;
    this.#length = this.#setting.lengths;
    this.#typed = '';
  }

  /**
   * The first character of a note of a chord. Its pitches ascend: the note is not above the lowest one that the chord
   * must still have. Voices that were joined have unisons, so a pitch may come several times.
   */
  #acceptChordNote(c: string): boolean {
    const last = this.#pitches.length === 0 ? 0 : this.#pitches[this.#pitches.length - 1];
    this.#highest = this.#must.length === 0 ? MAX_PITCH : Math.min(...this.#must);
    const unisons = this.#pitches.length - this.#pitches.indexOf(last);
    this.#lowest = unisons < MAX_UNISONS || this.#highest === last ? last : last + 1;
    return this.#acceptNote(c);
  }

  /** The first character of a note. */
  #acceptNote(c: string): boolean {
    this.#note.begin();
    this.#place = 'note';
    return this.#acceptInNote(c);
  }

  #acceptInNote(c: string): boolean {
    const read = this.#note.accept(c, this.#lowest, this.#highest, this.#accidentals, this.#signature);
    if (read !== 'ended') return read === 'accepted';
    this.#endPitch(this.#note.pitch);
    if (this.#inChord) return this.#acceptInChord(c);
    this.#place = 'length';
    return this.#acceptAfterLength(c);
  }

  #endPitch(pitch: number): void {
    this.#accidentals = this.#note.accidentalsAfter(this.#accidentals);
    this.#pitches = [...this.#pitches, pitch];
    this.#must = without(this.#must, pitch);
    if (this.#left === this.#units) this.#due = without(this.#due, pitch);
    this.sounds = true;
  }

  /** After a note of a chord and its tie: another note, the note's tie, or the end of the chord. */
  #acceptInChord(c: string): boolean {
    if (c === '-') {
      if (this.#place === 'chord tie') return false;
      this.#place = 'chord tie';
      this.#ties = [...this.#ties, this.#pitches[this.#pitches.length - 1]];
      return this.#setting.lengths.durations.some((steps) => this.#fits(steps));
    }
    if (c === ']') {
      this.#place = 'length';
      return this.#must.length === 0;
    }
    return this.#acceptChordNote(c);
  }

  /** Whether the current note may have a length. A note that is tied may not end the last bar. */
  #fits(steps: number): boolean {
    const tuplet = this.#tuplet;
    const mayEnd = !(this.#setting.last && this.#ties.length > 0);
    if (tuplet === undefined) return steps * UNITS_PER_STEP <= this.#left - (mayEnd ? 0 : UNITS_PER_STEP);
    return tuplet.fits(steps, this.#left - (mayEnd || !tuplet.isLast ? 0 : UNITS_PER_STEP));
  }

  /** The duration of a note that is written with so many steps here. */
  #unitsOf(steps: number): number {
    return this.#tuplet === undefined ? steps * UNITS_PER_STEP : this.#tuplet.units(steps);
  }

  #acceptAfterLength(c: string): boolean {
    const longer = this.#length.next.get(c);
    if (longer?.durations.some((steps) => this.#fits(steps))) {
      this.#length = longer;
      return true;
    }
    const { steps } = this.#length;
    if (steps === undefined || !this.#fits(steps)) return false;
    this.#left -= this.#unitsOf(steps);
    this.#tuplet = this.#tuplet?.after(steps);
    this.#place = 'piece';
    const isTie = c === '-';
    if (isTie) {
      if (this.#rest || this.#ties.length > 0) return false;
      this.#ties = this.#pitches;
    }
    // Notes tied within the bar must be continued by the next piece; the others by the next bar.
    if (this.#left > 0) this.#must = this.#ties;
    else if (this.#ties.length > 0) this.tiedOver = [...this.tiedOver, ...this.#ties];
    return isTie ? this.#left > 0 || !this.#setting.last : this.#acceptAfterPiece(c);
  }

  #acceptAfterPiece(c: string): boolean {
    if (this.#left > 0) return this.#acceptPiece(c);
    if (c === '|') {
      this.#place = 'end';
      return this.#due.length === 0;
    }
    if (c !== '&' || this.#layers >= MAX_LAYERS) return false;
    this.#layers++;
    this.#left = this.#units;
    this.#must = this.#layers === MAX_LAYERS ? this.#due : NOTHING;
    return true;
  }
}
