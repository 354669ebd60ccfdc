/**
 * A tuplet that is being read: how many notes follow, and which lengths they may have so that it ends where it may.
 *
 * Lengths count in steps of the tuplet: written steps in a triplet, fifths of a beat in a quintuplet. The lengths of a
 * whole triplet sum to a multiple of 3, of a quintuplet to a multiple of 5.
 */
import {
  MAX_PLAIN_STEPS,
  MAX_TUPLET_NOTES,
  mayBound,
  QUINTUPLET,
  TRIPLET,
  type TupletKind,
  tupletStep,
  tupletText,
} from '../abc/index.ts';
import { isPlainDuration } from '../quantise/index.ts';

/** Least number of units per beat for tuplets. With fewer, their notes would be longer than a beat. */
const MIN_UNITS_PER_BEAT = 60;

/** Lengths that one note can have, for the sums below. Longer ones have the same remainders. */
const PLAIN = Array.from({ length: MAX_PLAIN_STEPS }, (_, i) => i + 1).filter(isPlainDuration);

/** Results of `least` by kind, sum and number of notes. */
const LEAST = new Map<number, number>();

/** The smallest sum of the lengths of `notes` notes that makes `sum` a multiple of p; infinite if there is none. */
function least(p: number, sum: number, notes: number): number {
  if (notes === 0) return sum % p === 0 ? 0 : Number.POSITIVE_INFINITY;
  const key = (notes * 8 + (sum % p)) * 8 + p;
  let found = LEAST.get(key);
  if (found === undefined) {
    found = Number.POSITIVE_INFINITY;
    for (const length of PLAIN) if (length < found) found = Math.min(found, length + least(p, sum + length, notes - 1));
    LEAST.set(key, found);
  }
  return found;
}

/** A tuplet after some of its notes. It does not change; `after` makes the next one. */
export class TupletState {
  readonly kind: TupletKind;
  readonly #unitsPerBeat: number;
  /** the notes that follow, with the current one */
  readonly #notes: number;
  /** the sum of the lengths so far, in steps of the tuplet */
  readonly #sum: number;

  constructor(kind: TupletKind, notes: number, unitsPerBeat: number, sum = 0) {
    this.kind = kind;
    this.#notes = notes;
    this.#unitsPerBeat = unitsPerBeat;
    this.#sum = sum;
  }

  /** Whether the current note is the last. */
  get isLast(): boolean {
    return this.#notes === 1;
  }

  /** The duration of a note that is written with so many steps, in units. */
  units(writtenSteps: number): number {
    return writtenSteps * this.kind.unitsPerWrittenStep;
  }

  /**
   * Whether the current note may have a length.
   *
   * @param writtenSteps as it is written
   * @param left the units that the tuplet may still fill
   */
  fits(writtenSteps: number, left: number): boolean {
    const step = tupletStep(this.kind, this.#unitsPerBeat);
    const length = this.units(writtenSteps) / step;
    if (!Number.isInteger(length)) return false;
    return (length + least(this.kind.p, this.#sum + length, this.#notes - 1)) * step <= left;
  }

  /** The tuplet after a note; undefined if that was the last. */
  after(writtenSteps: number): TupletState | undefined {
    if (this.isLast) return undefined;
    const length = this.units(writtenSteps) / tupletStep(this.kind, this.#unitsPerBeat);
    return new TupletState(this.kind, this.#notes - 1, this.#unitsPerBeat, this.#sum + length);
  }
}

/** Results of tupletsAt by units of a beat, then by what is left and where. */
const FOUND = new Map<number, Map<number, ReadonlyMap<string, TupletState>>>();
/** Where no tuplet may begin. */
export const NO_TUPLETS: ReadonlyMap<string, TupletState> = new Map();

/**
 * The tuplets that can begin at a position, by their text.
 *
 * @param position from the bar line, in units
 * @param left units of the bar after it
 */
export function tupletsAt(position: number, left: number, unitsPerBeat: number): ReadonlyMap<string, TupletState> {
  if (unitsPerBeat < MIN_UNITS_PER_BEAT || !mayBound(TRIPLET, position, unitsPerBeat)) return NO_TUPLETS;
  let byPlace = FOUND.get(unitsPerBeat);
  if (byPlace === undefined) FOUND.set(unitsPerBeat, (byPlace = new Map()));
  const isBeat = mayBound(QUINTUPLET, position, unitsPerBeat);
  const place = 2 * left + (isBeat ? 1 : 0);
  let found = byPlace.get(place);
  if (found === undefined) {
    byPlace.set(place, (found = findTuplets(isBeat ? [TRIPLET, QUINTUPLET] : [TRIPLET], left, unitsPerBeat)));
  }
  return found;
}

function findTuplets(kinds: readonly TupletKind[], left: number, unitsPerBeat: number): Map<string, TupletState> {
  const found = new Map<string, TupletState>();
  for (const kind of kinds) {
    for (let notes = 2; notes <= MAX_TUPLET_NOTES; notes++) {
      if (least(kind.p, 0, notes) * tupletStep(kind, unitsPerBeat) > left) continue;
      found.set(tupletText(kind, notes), new TupletState(kind, notes, unitsPerBeat));
    }
  }
  return found;
}
