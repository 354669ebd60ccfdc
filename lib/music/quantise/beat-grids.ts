/**
 * The grid of each beat of a voice: sixteenths of a beat (with the default grid), twelfths for triplets, or fifths for
 * quintuplets.
 *
 * A beat is a quarter note, counted from the bar line. It gets twelfths or fifths if its onsets are exactly on them and
 * not on the binary grid.
 *
 * A performance has onsets between all grids, and some of them are near triplets by chance. So a voice has only binary
 * beats if more of its onsets are on no grid than on a grid of tuplets.
 *
 * Positions are in units of a score (model/score.ts): a binary step has 15 of them, a step of triplets 20.
 */
import { type ScoreBar, UNITS_PER_STEP, UNITS_PER_TRIPLET_STEP } from '../model/index.ts';

/** The binary grid and that of triplets share the points at multiples of this. */
const SHARED = 60;
const QUINTUPLET = 5;
/** Onsets that are this near to a grid are on it, in units. Ticks can be coarser: then it is half a tick. */
const MIN_TOLERANCE = 1;
/** Less than half the distance between the points of two grids: 80 and 75, 48 and 45. */
const MAX_TOLERANCE = 2.4;
const MAX_QUINTUPLET_TOLERANCE = 1.4;
/** A position counts as a point of a grid if it differs from it by less than this, in units. */
const EXACT = 1e-7;
/** Music with tuplets has at least this many onsets on the binary grid for each onset on tuplets. */
const MIN_BINARY_RATIO = 0.25;
/** With fewer onsets on tuplets, MIN_BINARY_RATIO is not checked: a ratio of few onsets means nothing. */
const FEW_ONSETS = 16;
/** A beat has no quintuplets if a note in it ends farther than this from all their points, in units. */
const MAX_QUINTUPLET_ERROR = UNITS_PER_STEP;

/** Beats in which the positions of a voice lie, for all voices: the same cells. */
export class Beats {
  /** the beginning of each beat, then the end of the last */
  readonly starts: Float64Array;
  /** units of a whole beat; a bar's last beat may be shorter */
  readonly units: number;

  /** @param bars in units */
  constructor(bars: readonly ScoreBar[], units: number) {
    this.units = units;
    const starts: number[] = [];
    for (const bar of bars) for (let at = 0; at < bar.length; at += units) starts.push(bar.start + at);
    const last = bars[bars.length - 1];
    starts.push(last.start + last.length);
    this.starts = Float64Array.from(starts);
  }

  /** The index of the beat of a position, which is at least 0. */
  at(position: number): number {
    const { starts } = this;
    let low = 0;
    let high = starts.length - 1;
    // Beats are as long as a quarter note or shorter, so the beat is not before this one.
    low = Math.min(Math.floor(position / this.units), high);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/**
 * Whether the music of some voices can have tuplets. Beats begin on the binary grid; music that was played at a constant
 * distance from the beat has few onsets there.
 */
export function mayHaveTuplets(voices: readonly Onsets[]): boolean {
  const binary = voices.reduce((sum, { onBinary }) => sum + onBinary, 0);
  const tuplets = voices.reduce((sum, { onTuplets }) => sum + onTuplets, 0);
  return tuplets < FEW_ONSETS || binary >= MIN_BINARY_RATIO * tuplets;
}

/** Rounds the positions of one voice. */
export class BeatGrids {
  readonly #beats: Beats;
  /** the step of each beat, in units; undefined if all beats are binary */
  readonly #steps: Uint16Array | undefined;

  /**
   * @param onsets of the voice
   * @param ends the ends of its notes, in units
   * @param tuplets whether beats may have other grids than the binary one
   */
  constructor(beats: Beats, onsets: Onsets, ends: readonly number[], tuplets: boolean) {
    this.#beats = beats;
    this.#steps = tuplets ? onsets.steps(ends) : undefined;
  }

  /** The step of the beat at a position. */
  #stepAt(beat: number): number {
    return this.#steps === undefined || beat >= this.#steps.length ? UNITS_PER_STEP : this.#steps[beat];
  }

  /** The nearest point for an onset. */
  nearest(position: number): number {
    if (this.#steps === undefined) return UNITS_PER_STEP * Math.round(position / UNITS_PER_STEP);
    const beat = this.#beats.at(position);
    return this.#round(position, beat, this.#stepAt(beat), Math.round);
  }

  /** The nearest point for an end. */
  nearestEnd(position: number): number {
    return this.#roundEnd(position, Math.round);
  }

  /** The last point for an end at or before a position. */
  floor(position: number): number {
    if (this.#steps === undefined) return UNITS_PER_STEP * Math.floor((position + EXACT) / UNITS_PER_STEP);
    return this.#roundEnd(position + EXACT, Math.floor);
  }

  /** The first point for an end at or after a position. */
  ceil(position: number): number {
    if (this.#steps === undefined) return UNITS_PER_STEP * Math.ceil((position - EXACT) / UNITS_PER_STEP);
    return this.#roundEnd(Math.max(0, position - EXACT), Math.ceil);
  }

  /** In a beat of triplets, notes end at twice as many points as they begin: short notes keep their length. */
  #roundEnd(position: number, round: (value: number) => number): number {
    const beat = this.#beats.at(position);
    const step = this.#stepAt(beat);
    return this.#round(position, beat, step === UNITS_PER_TRIPLET_STEP ? step / 2 : step, round);
  }

  #round(position: number, beat: number, step: number, round: (value: number) => number): number {
    const start = this.#beats.starts[beat];
    return start + step * round((position - start) / step);
  }
}

/** The onsets of a voice, counted by the grids that they are on. Finds the beats that have tuplets. */
export class Onsets {
  readonly #beats: Beats;
  readonly #tolerance: number;
  /** units of a quintuplet's note */
  readonly #fifth: number;
  /** onsets between the binary points, by beat */
  readonly #odd = new Map<number, number[]>();
  /** beats with an onset on a binary point that triplets do not have */
  readonly #binary = new Set<number>();
  onBinary = 0;
  /** onsets on points that only triplets or quintuplets have */
  onTuplets = 0;
  /** onsets between the points of all grids */
  off = 0;

  /**
   * @param onsets in units, as the file has them
   * @param unitsPerTick the accuracy of the file
   */
  constructor(beats: Beats, onsets: readonly number[], unitsPerTick: number) {
    this.#beats = beats;
    this.#tolerance = Math.min(MAX_TOLERANCE, Math.max(MIN_TOLERANCE, unitsPerTick / 2 + EXACT));
    this.#fifth = beats.units / QUINTUPLET;
    for (const onset of onsets) {
      if (this.#isBinary(onset)) {
        this.onBinary++;
        continue;
      }
      const beat = this.#beats.at(onset);
      const within = onset - this.#beats.starts[beat];
      if (this.#isTriplet(within, beat) || this.#isQuintuplet(within, beat)) this.onTuplets++;
      else this.off++;
      const odd = this.#odd.get(beat);
      if (odd === undefined) this.#odd.set(beat, [within]);
      else odd.push(within);
    }
    if (this.onTuplets > 0) for (const onset of onsets) if (this.#isBinary(onset)) this.#addBinary(onset);
  }

  /** Whether the onsets on tuplets are not there by chance. */
  get hasTuplets(): boolean {
    return this.onTuplets > 0 && this.off <= this.onTuplets;
  }

  #isBinary(onset: number): boolean {
    return Math.abs(onset - UNITS_PER_STEP * Math.round(onset / UNITS_PER_STEP)) <= this.#tolerance;
  }

  /** Notes the beat of an onset on a binary point that triplets do not have. */
  #addBinary(onset: number): void {
    const nearest = UNITS_PER_STEP * Math.round(onset / UNITS_PER_STEP);
    const beat = this.#beats.at(nearest);
    if ((nearest - this.#beats.starts[beat]) % SHARED !== 0) this.#binary.add(beat);
  }

  /** The step of each beat; undefined if all are binary. */
  steps(ends: readonly number[]): Uint16Array | undefined {
    if (!this.hasTuplets) return undefined;
    let steps: Uint16Array | undefined;
    let hasFifths = false;
    for (const [beat, positions] of this.#odd) {
      const step = this.#binary.has(beat) ? UNITS_PER_STEP : this.#stepOf(beat, positions);
      if (step === UNITS_PER_STEP) continue;
      steps ??= new Uint16Array(this.#beats.starts.length - 1).fill(UNITS_PER_STEP);
      steps[beat] = step;
      hasFifths ||= step === this.#fifth;
    }
    if (hasFifths) this.#dropFifths(steps!, ends);
    return steps;
  }

  /** Makes beats binary again in which notes end between the points of quintuplets. */
  #dropFifths(steps: Uint16Array, ends: readonly number[]): void {
    for (const end of ends) {
      const beat = this.#beats.at(end);
      if (steps[beat] !== this.#fifth) continue;
      const within = end - this.#beats.starts[beat];
      const error = Math.abs(within - this.#fifth * Math.round(within / this.#fifth));
      if (error > MAX_QUINTUPLET_ERROR) steps[beat] = UNITS_PER_STEP;
    }
  }

  /** The step of a beat without onsets on points that only the binary grid has. */
  #stepOf(beat: number, positions: readonly number[]): number {
    const triplets = positions.filter((position) => this.#isTriplet(position, beat)).length;
    if (triplets > 0 && 2 * triplets >= positions.length) return UNITS_PER_TRIPLET_STEP;
    const fifths = positions.filter((position) => this.#isQuintuplet(position, beat));
    const distinct = new Set(fifths.map((position) => Math.round(position / this.#fifth)));
    return distinct.size >= 2 && fifths.length === positions.length ? this.#fifth : UNITS_PER_STEP;
  }

  /** Whether a position in a beat is a point that only triplets have. */
  #isTriplet(within: number, beat: number): boolean {
    if ((this.#beats.starts[beat + 1] - this.#beats.starts[beat]) % SHARED !== 0) return false;
    const nearest = UNITS_PER_TRIPLET_STEP * Math.round(within / UNITS_PER_TRIPLET_STEP);
    return nearest % SHARED !== 0 && Math.abs(within - nearest) <= this.#tolerance;
  }

  /** Whether a position in a whole beat is a point that only quintuplets have. */
  #isQuintuplet(within: number, beat: number): boolean {
    const { units, starts } = this.#beats;
    if (units < SHARED || starts[beat + 1] - starts[beat] !== units) return false;
    const nearest = this.#fifth * Math.round(within / this.#fifth);
    const tolerance = Math.min(MAX_QUINTUPLET_TOLERANCE, this.#tolerance);
    return nearest % units !== 0 && Math.abs(within - nearest) <= tolerance;
  }
}
