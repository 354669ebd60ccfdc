/**
 * One voice of a tune while its text is read: its settings, its open bar, and all that one note leaves for the next: accidentals,
 * ties, tuplets, broken rhythm, repeats. Knows nothing of characters: abc-music.ts reads those.
 */
import type { Key } from '../model/index.ts';
import {
  type BarChange,
  type Metre,
  metreDuration,
  type ProblemKind,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
} from './tune.ts';

/** Nothing in music is longer; a slip of the pen (C44444) may be. */
const LONGEST_NOTE = 64 * WHOLE;
const LONGEST_REST_IN_BARS = 1000;
/** Rests end here: a few characters would else stand for millions of bars. */
const MOST_BARS = 50_000;
const MOST_LAYERS = 64;
const MOST_REPEATS = 8;

/** `(p` puts p notes into the time of so many; of 5, 7 and 9 it depends on the metre. */
const TUPLET_TIME = [0, 0, 3, 2, 3, 0, 2, 0, 3, 0];

/** Where the reader stands in the text, and how to say what is wrong there. */
export interface Place {
  readonly line: number;
  readonly column: number;
  problem(kind: ProblemKind, message: string): void;
}

/** What fields set, each for its voice from there on. */
export interface Settings {
  /** duration of a note without a number */
  unit: number;
  unitGiven: boolean;
  /** undefined is free (M:none) */
  metre: Metre | undefined;
  key: Key;
  /** by letter C…B, −2…2 */
  alterations: number[];
  /** in semitones */
  transpose: number;
  /** how far an accidental reaches: its note, its octave, or all octaves of its letter */
  accidentals: 'not' | 'octave' | 'pitch';
}

export const FIRST_SETTINGS: Settings = {
  unit: WHOLE / 8,
  unitGiven: false,
  metre: undefined,
  key: { fifths: 0, minor: false },
  alterations: [0, 0, 0, 0, 0, 0, 0],
  transpose: 0,
  accidentals: 'pitch',
};

export class VoiceBuilder {
  readonly result: TuneVoice;
  settings: Settings;
  private readonly place: Place;
  private bar: TuneBar | undefined;
  /** what has come before the first note of the next bar */
  private opensRepeat = false;
  private endings: number[] | undefined;
  private pending: BarChange[] = [];
  /** accidentals of this bar */
  private readonly letterAccidentals: (number | undefined)[] = new Array(7).fill(undefined);
  private readonly positionAccidentals = new Map<number, number>();
  private tupletFactor = 1;
  private tupletLeft = 0;
  /** factor of the next note after `>` or `<` */
  private brokenFactor = 1;
  /** what a tie or a broken rhythm would change */
  private last: { notes: TuneNote[]; duration: number; layer: TuneBar['layers'][number] } | undefined;

  constructor(id: string, settings: Settings, place: Place) {
    this.result = { id, drum: false, program: 0, bars: [] };
    this.settings = settings;
    this.place = place;
  }

  /** Whether nothing has been put into it. */
  get empty(): boolean {
    return this.result.bars.length === 0 && this.bar === undefined;
  }

  /** A metre or key in a bar that is still empty is that bar's; accidentals before it hold no longer. */
  set(settings: Partial<Settings>): void {
    this.settings = { ...this.settings, ...settings };
    const { bar } = this;
    if (bar !== undefined && bar.duration === 0) {
      bar.metre = this.settings.metre;
      bar.key = this.settings.key;
    }
    if (settings.key !== undefined) this.forgetAccidentals();
  }

  /** A change at this moment: of the bar that is open, or of the one to come. */
  change(change: Omit<BarChange, 'offset'>): void {
    if (this.bar === undefined) this.pending.push({ offset: 0, ...change });
    else this.bar.changes.push({ offset: this.bar.layers.at(-1)!.duration, ...change });
  }

  // ---- bars ----

  private openBar(): TuneBar {
    if (this.bar === undefined) {
      const { metre, key } = this.settings;
      this.bar = {
        line: this.place.line,
        column: this.place.column,
        endLine: this.place.line,
        endColumn: this.place.column,
        duration: 0,
        layers: [{ notes: [], duration: 0 }],
        metre,
        key,
        changes: this.pending,
        opensRepeat: this.opensRepeat,
        closesRepeat: 0,
        doubleBar: false,
        endings: this.endings,
      };
      this.pending = [];
      this.opensRepeat = false;
      this.endings = undefined;
      this.forgetAccidentals();
    }
    return this.bar;
  }

  /** Ends the bar, if notes or rests have begun one. */
  closeBar(endColumn: number = this.place.column): void {
    const { bar } = this;
    if (bar === undefined) return;
    bar.endLine = this.place.line;
    bar.endColumn = endColumn;
    if (this.brokenFactor !== 1) this.place.problem('syntax', 'a broken rhythm (> or <) without a note after it');
    this.brokenFactor = 1;
    this.bar = undefined;
    if (bar.duration > 0) {
      this.result.bars.push(bar);
      return;
    }
    // No sound and no rest: what it has belongs to what follows.
    this.opensRepeat ||= bar.opensRepeat;
    this.endings ??= bar.endings;
    this.pending.push(...bar.changes);
  }

  /** A bar line: how often what it ends is played again, whether it is a double one, and whether a repeat begins after it. */
  barLine(closesRepeat: number, doubleBar: boolean, opensRepeat: boolean, endColumn: number): void {
    this.closeBar(endColumn);
    const ended = this.result.bars.at(-1);
    if (ended !== undefined) {
      ended.closesRepeat = Math.min(MOST_REPEATS, Math.max(ended.closesRepeat, closesRepeat));
      ended.doubleBar ||= doubleBar;
    }
    this.opensRepeat ||= opensRepeat;
  }

  /** What follows is played on these passes only. */
  ending(passes: number[]): void {
    this.closeBar();
    this.endings = passes;
  }

  /** `&`: what follows begins again with the bar. */
  overlay(): void {
    const { layers } = this.openBar();
    if (layers.length >= MOST_LAYERS) {
      this.place.problem('syntax', `more than ${MOST_LAYERS} layers in a bar`);
      return;
    }
    layers.push({ notes: [], duration: 0 });
    this.last = undefined;
  }

  // ---- sounds ----

  /** Opens a bar if none is open; returns where in it the next sound begins. */
  begin(): number {
    return this.openBar().layers.at(-1)!.duration;
  }

  /** The alteration of a note that is about to sound, and what it means for those after it. */
  alteration(position: number, explicit: number | undefined): number {
    const letter = ((position % 7) + 7) % 7;
    const { accidentals, alterations } = this.settings;
    if (explicit !== undefined) {
      this.letterAccidentals[letter] = explicit;
      this.positionAccidentals.set(position, explicit);
      return explicit;
    }
    const inForce =
      accidentals === 'pitch'
        ? this.letterAccidentals[letter]
        : accidentals === 'octave'
          ? this.positionAccidentals.get(position)
          : undefined;
    return inForce ?? alterations[letter];
  }

  private forgetAccidentals(): void {
    if (this.positionAccidentals.size === 0) return;
    this.letterAccidentals.fill(undefined);
    this.positionAccidentals.clear();
  }

  /** Notes of one onset and the time until the next; a tuplet or a broken rhythm, and `factor`, scale both. No note is a rest. */
  sound(notes: TuneNote[], duration: number, factor = 1): void {
    const scale = factor * this.takeFactor();
    for (const note of notes) note.duration = this.bounded(note.duration * scale);
    this.advance(notes, this.bounded(duration * scale));
  }

  /** `Z`: bars of rest. */
  restBars(count: number): void {
    if (count < 1 || count > LONGEST_REST_IN_BARS) {
      this.place.problem('range', `a rest of ${count} bars`);
      return;
    }
    if (this.result.bars.length + count > MOST_BARS) {
      this.place.problem('range', `with this rest a voice has more than ${MOST_BARS} bars`);
      return;
    }
    const { metre } = this.settings;
    for (let i = 0; i < count; i++) {
      if (i > 0) this.closeBar();
      this.advance([], metre === undefined ? WHOLE : metreDuration(metre));
    }
  }

  private advance(notes: TuneNote[], duration: number): void {
    const bar = this.openBar();
    const layer = bar.layers.at(-1)!;
    for (const note of notes) layer.notes.push(note);
    layer.duration += duration;
    bar.duration = Math.max(bar.duration, layer.duration);
    this.last = { notes, duration, layer };
  }

  private bounded(duration: number): number {
    if (duration > LONGEST_NOTE) {
      this.place.problem('range', `a note of ${Math.round(duration / WHOLE)} whole notes`);
      return LONGEST_NOTE;
    }
    return Math.max(1, Math.round(duration));
  }

  tie(): void {
    if (this.last === undefined || this.last.notes.length === 0) {
      this.place.problem('tie', 'a tie without a note before it');
    } else for (const note of this.last.notes) note.tied = true;
  }

  /** `(p:q:r`: p notes in the time of q, for the next r; q and r as usual where absent. */
  tuplet(p: number, q: number | undefined, r: number = p): void {
    const { metre } = this.settings;
    const compound = metre !== undefined && metre.numerator % 3 === 0 && metre.numerator > 3;
    const time = q ?? (TUPLET_TIME[p] || (compound ? 3 : 2));
    if (p < 2 || p > 64 || time < 1 || time > 64 || r < 1 || r > 64) {
      this.place.problem('syntax', `no tuplet has ${p} notes in the time of ${time}, for ${r} notes`);
      return;
    }
    this.tupletFactor = time / p;
    this.tupletLeft = r;
  }

  /** `>`, `>>`, `<` …: the note before lengthened and the note after shortened, or the other way round. */
  broken(sign: '>' | '<', count: number): void {
    const { last, bar } = this;
    if (last === undefined || last.layer !== bar?.layers.at(-1) || count > 3) {
      this.place.problem('syntax', 'a broken rhythm (> or <) without a note before it');
      return;
    }
    const short = 2 ** -count;
    const factor = sign === '>' ? 2 - short : short;
    const changed = Math.max(1, Math.round(last.duration * factor));
    for (const note of last.notes) note.duration = Math.max(1, Math.round(note.duration * factor));
    last.layer.duration += changed - last.duration;
    bar.duration = 0;
    for (const layer of bar.layers) bar.duration = Math.max(bar.duration, layer.duration);
    last.duration = changed;
    this.brokenFactor = 2 - factor;
  }

  /** What tuplets and broken rhythm make of the next duration. */
  private takeFactor(): number {
    let factor = this.brokenFactor;
    this.brokenFactor = 1;
    if (this.tupletLeft > 0) {
      factor *= this.tupletFactor;
      this.tupletLeft--;
    }
    return factor;
  }
}
