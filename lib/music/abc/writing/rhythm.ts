/**
 * Writes the sounds of a layer as pieces (layers.ts): plain durations, with ties between them, and tuplets.
 *
 * A sound between two points of the binary grid is written at once. Sounds that begin or end within a tuplet are
 * collected until one ends on a point where the tuplet may end. A sound that reaches into a tuplet from another beat,
 * or out of it, is cut at a beat and tied, unless it is one plain note of the tuplet and of its beats: a triplet of
 * quarter notes is written as three notes, not as five.
 */
import { UNITS_PER_STEP } from '../../model/index.ts';
import { isPlainDuration } from '../../quantise/index.ts';
import { MAX_TUPLET_NOTES, mayBound, TRIPLET, type TupletKind, tupletAt } from '../tuplets.ts';
import type { NumberList } from './number-list.ts';
import { addPieces, addProgram, NO_CHANGE, plainParts, tupletMarker } from './pieces.ts';

/** Largest number of beats in a tuplet. */
const MAX_TUPLET_BEATS = 4;
/** Largest duration, in beats, of a note of a tuplet that crosses a beat. */
const MAX_CROSSING_BEATS = 2;
/** A tuplet with at least this many pieces ends at the next point where it may end. One sound adds only few pieces. */
const LONG_TUPLET = MAX_TUPLET_NOTES - 8;

/** A sound or a rest. Positions are in units from the bar line. */
interface Sound {
  pitches: readonly number[];
  from: number;
  to: number;
  /** whether it is tied to the next sound */
  tied: boolean;
  /** the program from here on, or NO_CHANGE */
  program: number;
  /** if only some of its pitches are tied: whether each is */
  ties: readonly boolean[] | undefined;
}

/** Writes the sounds of one layer, which follow one another without gaps. */
export class RhythmWriter {
  readonly #pieces: NumberList;
  readonly #unitsPerBeat: number;
  /** the tuplet that has begun, its beginning and its sounds */
  #kind: TupletKind | undefined;
  #start = 0;
  #sounds: Sound[] = [];
  #count = 0;

  constructor(pieces: NumberList, unitsPerBeat: number) {
    this.#pieces = pieces;
    this.#unitsPerBeat = unitsPerBeat;
  }

  /**
   * Appends a sound (see Sound). Without pitches it is a rest.
   *
   * @param from the end of the sound before
   */
  add(
    pitches: readonly number[],
    from: number,
    to: number,
    tied: boolean,
    program: number = NO_CHANGE,
    ties: readonly boolean[] | undefined = undefined,
  ): void {
    if (this.#kind === undefined && from % UNITS_PER_STEP === 0 && to % UNITS_PER_STEP === 0) {
      addProgram(this.#pieces, program);
      addPieces(this.#pieces, pitches, (to - from) / UNITS_PER_STEP, tied, ties);
      return;
    }
    const sound = { pitches, from, to, tied, program, ties };
    if (this.#kind === undefined) this.#begin(sound);
    else this.#continue(sound, this.#kind);
  }

  /** Begins a tuplet with a sound that ends in it. */
  #begin(sound: Sound): void {
    const { from, to } = sound;
    const kind = tupletAt(to)!;
    const beat = this.#beatBefore(to);
    if (from < beat && !this.#mayCross(sound, kind)) {
      this.#addCut(sound, beat);
      return;
    }
    this.#kind = kind;
    this.#start = from;
    this.#push(sound, kind);
  }

  /** Adds a sound that begins in a tuplet. */
  #continue(sound: Sound, kind: TupletKind): void {
    const { from, to } = sound;
    const beat = this.#beatBefore(from) + this.#unitsPerBeat;
    const isLong = to - this.#start > MAX_TUPLET_BEATS * this.#unitsPerBeat;
    if (to > beat && (isLong || !this.#mayCross(sound, kind))) this.#addCut(sound, beat);
    else if (this.#count >= LONG_TUPLET && this.#boundAfter(from, kind) < to) {
      this.#addCut(sound, this.#boundAfter(from, kind));
    } else this.#push(sound, kind);
  }

  /** Adds a sound in two parts. */
  #addCut({ pitches, from, to, tied, program, ties }: Sound, at: number): void {
    this.add(pitches, from, at, true, program);
    this.add(pitches, at, to, tied, NO_CHANGE, ties);
  }

  #push(sound: Sound, kind: TupletKind): void {
    this.#sounds.push(sound);
    this.#count += plainParts((sound.to - sound.from) / kind.unitsPerWrittenStep).length;
    if (mayBound(kind, sound.to, this.#unitsPerBeat)) this.#end(kind);
  }

  #end(kind: TupletKind): void {
    const pieces = this.#pieces;
    addProgram(pieces, this.#sounds[0].program);
    pieces.add(tupletMarker(kind, this.#count));
    for (const [i, { pitches, from, to, tied, program, ties }] of this.#sounds.entries()) {
      if (i > 0) addProgram(pieces, program);
      addPieces(pieces, pitches, (to - from) / kind.unitsPerWrittenStep, tied, ties);
    }
    this.#kind = undefined;
    this.#sounds = [];
    this.#count = 0;
  }

  /** Whether a sound over a beat is one note of a triplet: both ends are beats or points of the triplet. */
  #mayCross({ from, to }: Sound, kind: TupletKind): boolean {
    const isBound = (at: number) => at % this.#unitsPerBeat === 0 || tupletAt(at) === kind;
    return (
      kind === TRIPLET &&
      to - from <= MAX_CROSSING_BEATS * this.#unitsPerBeat &&
      isBound(from) &&
      isBound(to) &&
      isPlainDuration((to - from) / kind.unitsPerWrittenStep)
    );
  }

  /** The last beat before a position. */
  #beatBefore(position: number): number {
    return this.#unitsPerBeat * (Math.ceil(position / this.#unitsPerBeat) - 1);
  }

  /** The first point after a position at which the tuplet may end. */
  #boundAfter(position: number, kind: TupletKind): number {
    let at = position + kind.unitsPerWrittenStep;
    while (!mayBound(kind, at, this.#unitsPerBeat)) at += kind.unitsPerWrittenStep;
    return at;
  }
}
