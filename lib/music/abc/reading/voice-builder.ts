/**
 * Builds one voice of a tune. Puts notes into bars and layers, and keeps the state that affects later notes
 * (accidentals, ties, tuplets, broken rhythm, repeats).
 *
 * It does not see the text: read-notes-and-chords.ts reads the characters and calls it.
 */
import {
  type BarChange,
  metreDuration,
  type ProblemKind,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
} from '../tune.ts';
import type { Settings } from './voice-settings.ts';

/** Ticks. Longer notes are typing errors, such as C44444. */
const MAX_NOTE_DURATION = 64 * WHOLE;
const MAX_BARS_OF_REST = 1000;
/**
 * Rests may not extend a voice beyond this number of bars. Without a limit, a few characters could produce millions of
 * bars.
 */
const MAX_BARS = 50_000;
const MAX_LAYERS = 64;
const MAX_REPEATS = 8;

/**
 * The q of a tuplet `(p`, indexed by p: p notes take the time of q. It is 0 for 5, 7 and 9, because there q depends on
 * the metre (standard 2.1, §4.13).
 */
const TUPLET_TIME = [0, 0, 3, 2, 3, 0, 2, 0, 3, 0];

/** The reader's current place in the text, and a method that reports a problem there. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
  problem(kind: ProblemKind, message: string): void;
}

/** A voice that is being read. */
export class VoiceBuilder {
  readonly result: TuneVoice;
  settings: Settings;
  readonly #place: TextPlace;
  #bar: TuneBar | undefined;
  /** repeat signs, endings and changes that precede the first note of the next bar */
  #opensRepeat = false;
  #endings: number[] | undefined;
  #pending: BarChange[] = [];
  #part: string | undefined;
  /** the number of bars before `(&`, if an overlay of several bars is open */
  #overlayFrom: number | undefined;
  /** the bars that the next layer of that overlay has still to pass */
  #overlaid: TuneBar[] = [];
  /** the bar that was full at the end of the last line, and that place */
  #fullAtLineEnd: { bar: TuneBar; line: number; column: number } | undefined;
  /** The next bar begins without a bar line, so the accidentals stay in force. */
  #keepsAccidentals = false;
  /** accidentals of grace notes that precede the first note of the next bar, with their staff positions */
  #graceAccidentals: [position: number, alteration: number][] = [];
  /** accidentals of this bar */
  readonly #letterAccidentals: (number | undefined)[] = new Array(7).fill(undefined);
  readonly #positionAccidentals = new Map<number, number>();
  #tupletFactor = 1;
  #tupletLeft = 0;
  /** the factor of the next note's duration after `>` or `<` */
  #brokenFactor = 1;
  /** the last sound, which a tie or a broken rhythm changes */
  #last: { notes: TuneNote[]; duration: number; layer: TuneBar['layers'][number] } | undefined;

  constructor(id: string, settings: Settings, place: TextPlace) {
    this.result = { id, drum: false, program: 0, bars: [] };
    this.settings = settings;
    this.#place = place;
  }

  /** Whether the voice has no note or rest yet. */
  get empty(): boolean {
    return this.result.bars.length === 0 && this.#bar === undefined;
  }

  /** The number of bars, also of an open one. */
  get bars(): number {
    return this.result.bars.length + (this.#bar === undefined ? 0 : 1);
  }

  /** Whether the last sign was a bar line. */
  get isBetweenBars(): boolean {
    return this.#bar === undefined && this.result.bars.length > 0;
  }

  /**
   * Changes settings. In an open bar that is still empty, metre and key apply to that bar. A key cancels accidentals.
   */
  set(settings: Partial<Settings>): void {
    this.settings = { ...this.settings, ...settings };
    const bar = this.#bar;
    if (bar !== undefined && bar.duration === 0) {
      bar.metre = this.settings.metre;
      bar.key = this.settings.key;
    }
    if (settings.key !== undefined) this.#forgetAccidentals();
  }

  /**
   * Changes the tempo or program at the current position of the open bar, or at the beginning of the next bar if none
   * is open.
   */
  change(change: Omit<BarChange, 'offset'>): void {
    if (this.#bar === undefined) this.#pending.push({ offset: 0, ...change });
    else this.#bar.changes.push({ offset: this.#bar.layers.at(-1)!.duration, ...change });
  }

  // ---- bars ----

  #openBar(): TuneBar {
    const overlaid = this.#bar === undefined ? this.#overlaid.shift() : undefined;
    if (overlaid !== undefined) {
      this.#bar = overlaid;
      this.#forgetAccidentals();
      this.#addLayer(overlaid);
    }
    if (this.#bar === undefined) {
      const { metre, key } = this.settings;
      this.#bar = {
        line: this.#place.line,
        column: this.#place.column,
        endLine: this.#place.line,
        endColumn: this.#place.column,
        duration: 0,
        layers: [{ notes: [], duration: 0 }],
        metre,
        key,
        changes: this.#pending,
        opensRepeat: this.#opensRepeat,
        closesRepeat: 0,
        doubleBar: false,
        endings: this.#endings,
        part: this.#part,
      };
      this.#pending = [];
      this.#opensRepeat = false;
      this.#endings = undefined;
      this.#part = undefined;
      if (!this.#keepsAccidentals) this.#forgetAccidentals();
      this.#keepsAccidentals = false;
    }
    for (const [position, alteration] of this.#graceAccidentals.splice(0)) this.alteration(position, alteration);
    return this.#bar;
  }

  /** Ends the bar if one is open. `endColumn`: the column after its bar line. */
  closeBar(endColumn: number = this.#place.column): void {
    const bar = this.#bar;
    if (bar === undefined) return;
    bar.endLine = this.#place.line;
    bar.endColumn = endColumn;
    if (this.#brokenFactor !== 1) this.#place.problem('syntax', 'a broken rhythm (> or <) without a note after it');
    this.#brokenFactor = 1;
    this.#bar = undefined;
    if (bar.duration > 0) {
      this.result.bars.push(bar);
      return;
    }
    // The bar has no note or rest, so its signs and changes belong to the next bar.
    this.#opensRepeat ||= bar.opensRepeat;
    this.#endings ??= bar.endings;
    this.#part ??= bar.part;
    this.#pending.push(...bar.changes);
  }

  /**
   * Ends the bar with a bar line.
   *
   * @param closesRepeat number of times that the section ending here is repeated
   * @param endColumn the column after the bar line
   */
  barLine(closesRepeat: number, doubleBar: boolean, opensRepeat: boolean, endColumn: number): void {
    this.closeBar(endColumn);
    const ended = this.result.bars.at(-1);
    if (ended !== undefined) {
      ended.closesRepeat = Math.min(MAX_REPEATS, Math.max(ended.closesRepeat, closesRepeat));
      ended.doubleBar ||= doubleBar;
    }
    this.#opensRepeat ||= opensRepeat;
  }

  /**
   * Ends a line of the text. If the bar is full and more notes follow in the next line, its bar line was left out, as
   * in many collections.
   */
  endLine(): void {
    const bar = this.#bar;
    const metre = bar?.metre;
    this.#fullAtLineEnd = undefined;
    if (bar === undefined || metre === undefined) return;
    if (bar.layers.some(({ duration }) => duration !== metreDuration(metre))) return;
    this.#fullAtLineEnd = { bar, line: this.#place.line, column: this.#place.column };
  }

  /** Ends the bar that was full at the end of the line before. */
  #endBarOfLine(): void {
    const full = this.#fullAtLineEnd;
    this.#fullAtLineEnd = undefined;
    if (full === undefined || full.bar !== this.#bar) return;
    this.closeBar();
    // Accidentals hold to the next bar line.
    this.#keepsAccidentals = true;
    Object.assign(full.bar, { endLine: full.line, endColumn: full.column, endedByLine: true });
  }

  /** Begins an ending: the following bars are played on these passes only. */
  ending(passes: number[]): void {
    this.closeBar();
    this.#endings = passes;
  }

  /** P: within the music: the next bar begins a part. */
  beginPart(name: string): void {
    this.closeBar();
    this.#part = name;
  }

  /** `&`: begins another layer, at the start of the bar. After `(&`, at the start of the bar with the `(&`. */
  overlay(): void {
    this.#last = this.#fullAtLineEnd = undefined;
    if (this.#overlayFrom === undefined) {
      this.#addLayer(this.#openBar());
      return;
    }
    this.#finishOverlay();
    this.#overlaid = this.result.bars.splice(this.#overlayFrom);
  }

  /** `(&`: begins an overlay of several bars. */
  beginOverlay(): void {
    if (this.#overlaid.length > 0) this.#finishOverlay();
    this.#overlayFrom = this.result.bars.length;
  }

  /** `&)`: ends an overlay of several bars. */
  endOverlay(): void {
    this.#finishOverlay();
    this.#overlayFrom = undefined;
  }

  /** Ends the layer of an overlay of several bars. The bars that it does not reach stay as they are. */
  #finishOverlay(): void {
    this.closeBar();
    this.result.bars.push(...this.#overlaid);
    this.#overlaid = [];
  }

  #addLayer({ layers }: TuneBar): void {
    if (layers.length >= MAX_LAYERS) this.#place.problem('syntax', `more than ${MAX_LAYERS} layers in a bar`);
    else layers.push({ notes: [], duration: 0 });
  }

  /** Ends the voice. */
  end(): void {
    this.endOverlay();
  }

  // ---- sounds ----

  /** Opens a bar if none is open. Returns the offset in it at which the next sound begins. */
  begin(): number {
    if (this.#fullAtLineEnd !== undefined) this.#endBarOfLine();
    return this.#openBar().layers.at(-1)!.duration;
  }

  /** The alteration of the next note. An explicit accidental is remembered for the notes after it. */
  alteration(position: number, explicit: number | undefined): number {
    const letter = ((position % 7) + 7) % 7;
    const { accidentals, alterations } = this.settings;
    if (explicit !== undefined) {
      this.#letterAccidentals[letter] = explicit;
      this.#positionAccidentals.set(position, explicit);
      return explicit;
    }
    const inForce =
      accidentals === 'pitch'
        ? this.#letterAccidentals[letter]
        : accidentals === 'octave'
          ? this.#positionAccidentals.get(position)
          : undefined;
    return inForce ?? alterations[letter];
  }

  /** An accidental of a grace note. It holds for the notes after it in the bar. */
  graceAccidental(position: number, alteration: number): void {
    if (this.#bar === undefined) this.#graceAccidentals.push([position, alteration]);
    else this.alteration(position, alteration);
  }

  #forgetAccidentals(): void {
    if (this.#positionAccidentals.size === 0) return;
    this.#letterAccidentals.fill(undefined);
    this.#positionAccidentals.clear();
  }

  /**
   * Adds the notes of one onset (none for a rest) and advances by `duration` ticks. Tuplets, broken rhythm and `factor`
   * scale the duration of the notes and the advance.
   */
  sound(notes: TuneNote[], duration: number, factor = 1): void {
    const scale = factor * this.#takeFactor();
    for (const note of notes) note.duration = this.#bounded(note.duration * scale);
    this.#advance(notes, this.#bounded(duration * scale));
  }

  /** `Z`: adds bars of rest. */
  restBars(bars: number): void {
    if (bars < 1 || bars > MAX_BARS_OF_REST) {
      this.#place.problem('range', `a rest of ${bars} bars`);
      return;
    }
    if (this.result.bars.length + bars > MAX_BARS) {
      this.#place.problem('range', `with this rest a voice has more than ${MAX_BARS} bars`);
      return;
    }
    const { metre } = this.settings;
    for (let i = 0; i < bars; i++) {
      if (i > 0) this.closeBar();
      this.#advance([], metre === undefined ? WHOLE : metreDuration(metre));
    }
  }

  #advance(notes: TuneNote[], duration: number): void {
    const bar = this.#openBar();
    const layer = bar.layers.at(-1)!;
    for (const note of notes) layer.notes.push(note);
    layer.duration += duration;
    bar.duration = Math.max(bar.duration, layer.duration);
    this.#last = { notes, duration, layer };
  }

  #bounded(duration: number): number {
    if (duration > MAX_NOTE_DURATION) {
      this.#place.problem('range', `a note of ${Math.round(duration / WHOLE)} whole notes`);
      return MAX_NOTE_DURATION;
    }
    return Math.max(1, Math.round(duration));
  }

  /** Ties the last sound to the next one of its pitch. */
  tie(): void {
    if (this.#last === undefined || this.#last.notes.length === 0) {
      this.#place.problem('tie', 'a tie without a note before it');
    } else for (const note of this.#last.notes) note.tied = true;
  }

  /** `(p:q:r`: the next r notes are p in the time of q. Without q or r, the standard's values are used. */
  tuplet(p: number, q: number | undefined, r: number = p): void {
    const { metre } = this.settings;
    const compound = metre !== undefined && metre.numerator % 3 === 0 && metre.numerator > 3;
    const time = q ?? (TUPLET_TIME[p] || (compound ? 3 : 2));
    if (p < 1 || p > 64 || time < 1 || time > 64 || r < 1 || r > 64) {
      this.#place.problem('syntax', `no tuplet has ${p} notes in the time of ${time}, for ${r} notes`);
      return;
    }
    this.#tupletFactor = time / p;
    this.#tupletLeft = r;
  }

  /** `>`, `>>`, `<` …: lengthens the last note and shortens the next, or the reverse. */
  broken(sign: '>' | '<', signs: number): void {
    const last = this.#last;
    const bar = this.#bar;
    if (last === undefined || last.layer !== bar?.layers.at(-1) || signs > 3) {
      this.#place.problem('syntax', 'a broken rhythm (> or <) without a note before it');
      return;
    }
    const short = 2 ** -signs;
    const factor = sign === '>' ? 2 - short : short;
    const changed = Math.max(1, Math.round(last.duration * factor));
    for (const note of last.notes) note.duration = Math.max(1, Math.round(note.duration * factor));
    last.layer.duration += changed - last.duration;
    bar.duration = 0;
    for (const layer of bar.layers) bar.duration = Math.max(bar.duration, layer.duration);
    last.duration = changed;
    this.#brokenFactor = 2 - factor;
  }

  /** Returns the factor of the next duration, and advances the state of tuplets and broken rhythm. */
  #takeFactor(): number {
    let factor = this.#brokenFactor;
    this.#brokenFactor = 1;
    if (this.#tupletLeft > 0) {
      factor *= this.#tupletFactor;
      this.#tupletLeft--;
    }
    return factor;
  }
}
