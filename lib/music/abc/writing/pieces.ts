/**
 * The pieces that the bars of a score are written in: notes, chords and rests of plain durations, as numbers in one
 * list. An object for each piece would cost more time than everything else in the writer.
 *
 *     piece           written steps + TIED? + (n << COUNT_SHIFT), then its n pitches, ascending, each + PITCH_TIED?; n = 0 is a rest
 *     NEXT_LAYER      the next pieces start again at the beginning of the bar
 *     −1 − program    the program from here on
 *     tupletMarker    a tuplet begins
 */
import { isPlainDuration } from '../../quantise/index.ts';
import { QUINTUPLET, TRIPLET, type TupletKind } from '../tuplets.ts';
import type { NumberList } from './number-list.ts';

/**
 * The longest duration, in steps, that is written as one note: a breve on a grid of 16. ABC software does not accept
 * longer notes.
 */
export const MAX_PLAIN_STEPS = 128;
/** Flag of a piece: the next piece of the layer continues its sound. */
export const TIED = 256;
/** The bits of a piece that hold its duration and TIED. */
export const LENGTH_MASK = 511;
/** A piece holds its number of pitches in this bit and the bits above it. */
export const COUNT_SHIFT = 9;
/** Flag of a tied pitch, in a piece that also has pitches without a tie. */
export const PITCH_TIED = 128;
/** Marks the beginning of the next layer of a bar; see the list above. */
export const NEXT_LAYER = 0;
/** No program changes before a sound. */
export const NO_CHANGE = -1;
/** The pitches of a rest. */
export const SILENCE: readonly number[] = [];
/** Tuplet markers are at most this; programs are above. */
const FIRST_TUPLET_MARKER = -1000;

/** Durations that one note can have, longest first. */
const PLAIN_DURATIONS = Array.from({ length: MAX_PLAIN_STEPS }, (_, i) => MAX_PLAIN_STEPS - i).filter(isPlainDuration);
/** Durations from this one on are not kept in the cache below. */
const MIN_UNCACHED_STEPS = 1024;
/** Results of plainParts by duration, filled on demand. */
const PLAIN_PARTS: number[][] = [[]];

/** Divides a duration into plain ones, longest first: 5 = 4 + 1. */
export function plainParts(steps: number): number[] {
  if (steps >= MIN_UNCACHED_STEPS) return [MAX_PLAIN_STEPS, ...plainParts(steps - MAX_PLAIN_STEPS)];
  return (PLAIN_PARTS[steps] ??= (() => {
    const first = PLAIN_DURATIONS.find((plain) => plain <= steps)!;
    return [first, ...plainParts(steps - first)];
  })());
}

/**
 * Adds a note or chord as tied pieces of plain durations, or a silence as rests.
 *
 * @param steps the written duration
 * @param tied whether the last piece is tied too
 * @param ties if only some pitches of the last piece are tied: whether each is
 */
export function addPieces(
  pieces: NumberList,
  pitches: readonly number[],
  steps: number,
  tied: boolean,
  ties?: readonly boolean[],
): void {
  const parts = plainParts(steps);
  const count = pitches.length << COUNT_SHIFT;
  const tie = pitches.length > 0 ? TIED : 0;
  for (let i = 0; i < parts.length; i++) {
    pieces.add(parts[i] + count + (tied || i + 1 < parts.length ? tie : 0));
    for (let p = 0; p < pitches.length; p++) pieces.add(pitches[p]);
  }
  if (ties === undefined) return;
  const last = pieces.length - pitches.length;
  for (let p = 0; p < ties.length; p++) if (ties[p]) pieces.numbers[last + p] += PITCH_TIED;
}

/** Adds a change of the program, unless it is NO_CHANGE. */
export function addProgram(pieces: NumberList, program: number): void {
  if (program !== NO_CHANGE) pieces.add(-1 - program);
}

/** The number that begins a tuplet. `notes`: how many notes, chords and rests it has. */
export function tupletMarker(kind: TupletKind, notes: number): number {
  return FIRST_TUPLET_MARKER - 2 * notes - (kind === TRIPLET ? 0 : 1);
}

/** The tuplet that a number below 0 begins; undefined if it is a program. */
export function markedTuplet(marker: number): { kind: TupletKind; notes: number } | undefined {
  if (marker > FIRST_TUPLET_MARKER) return undefined;
  const value = FIRST_TUPLET_MARKER - marker;
  return { kind: value % 2 === 0 ? TRIPLET : QUINTUPLET, notes: value >> 1 };
}
