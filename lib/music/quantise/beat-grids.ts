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
import { type PlayedNote, type ScoreBar, UNITS_PER_STEP, UNITS_PER_TRIPLET_STEP } from '../model/index.ts';

/** The binary grid and that of triplets share the points at multiples of this. */
const SHARED = 60;
const QUINTUPLET = 5;
/** Onsets that are this near to a grid are on it, in units. Ticks can be coarser: then it is half a tick. */
const MIN_TOLERANCE = 1;
/** Less than half the distance between the points of two grids: 80 and 75, 48 and 45. */
const MAX_TOLERANCE = 2.4;
const MAX_QUINTUPLET_TOLERANCE = 1.4;
/** A position counts as a point of a grid if it differs from it by less than this, in units. */
export const EXACT = 1e-7;
/** Music with tuplets has at least this many onsets on the binary grid for each onset on tuplets. */
const MIN_BINARY_RATIO = 0.25;
/** With fewer onsets on tuplets, MIN_BINARY_RATIO is not checked: a ratio of few onsets means nothing. */
const FEW_ONSETS = 16;
/** A beat has no quintuplets if a note in it ends farther than this from all their points, in units. */
const MAX_QUINTUPLET_ERROR = UNITS_PER_STEP;

/** Beats in which the positions of a voice lie, for all voices: the same cells. */
export class Beats {
  /** The start of each beat, then the end of the last, in units. A plain array: V8 then adds them as small integers. */
  readonly starts: number[] = [];
  /** units of a whole beat; a bar's last beat may be shorter */
  readonly units: number;

  /** @param bars the bars, with starts and durations in units */
  constructor(bars: readonly ScoreBar[], units: number) {
    this.units = units;
    for (const bar of bars) for (let at = 0; at < bar.length; at += units) this.starts.push(bar.start + at);
    const last = bars[bars.length - 1];
    this.starts.push(last.start + last.length);
  }

  /** The index of the beat of a position, which is at least 0. */
  at(position: number): number {
    const { starts } = this;
    let high = starts.length - 1;
    // Beats are as long as a quarter note or shorter, so the beat is not before this one.
    let low = Math.min(Math.floor(position / this.units), high);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The same, searched from a beat that is near. */
  near(beat: number, position: number): number {
    const { starts } = this;
    while (beat > 0 && starts[beat] > position) beat--;
    while (beat + 1 < starts.length && starts[beat + 1] <= position) beat++;
    return beat;
  }
}

/**
 * Whether the music of some voices can have tuplets. Beats begin on the binary grid; music that was played at a
 * constant distance from the beat has few onsets there.
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
  /** the beat of the last onset */
  #beat = 0;

  /** @param steps of each beat, see Onsets; undefined if all beats are binary */
  constructor(beats: Beats, steps: Uint16Array | undefined) {
    this.#beats = beats;
    this.#steps = steps;
  }

  /** Whether all points are on the binary grid. */
  get isBinary(): boolean {
    return this.#steps === undefined;
  }

  /** The step of the beat at a position. */
  #stepAt(beat: number): number {
    return this.#steps === undefined || beat >= this.#steps.length ? UNITS_PER_STEP : this.#steps[beat];
  }

  /** The nearest point for an onset. Fast if onsets are asked for in order. */
  nearest(position: number): number {
    if (this.#steps === undefined) return nearestBinary(position);
    this.#beat = this.#beats.near(this.#beat, position);
    return this.#round(position, this.#beat, this.#stepAt(this.#beat), Math.round);
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

/** Figures about the onsets in one beat. */
interface BeatOnsets {
  /** between the binary points */
  odd: number;
  /** on points that only triplets have */
  triplets: number;
  /** on points that only quintuplets have */
  fifths: number;
  /** bit n is set if an onset is on the point n of the quintuplet */
  fifthPoints: number;
}

/**
 * The onsets of a voice, counted by the grids that they are on. Finds the beats that have tuplets.
 *
 * Most voices have no tuplets. So onsets are only counted at first, and sorted into beats when the steps are asked for.
 */
export class Onsets {
  readonly #beats: Beats;
  readonly #notes: readonly PlayedNote[];
  readonly #unitsPerTick: number;
  readonly #tolerance: number;
  /** units of a quintuplet's note */
  readonly #fifth: number;
  onBinary = 0;
  /** onsets on points that only triplets or quintuplets have */
  onTuplets = 0;
  /** onsets between the points of all grids */
  off = 0;

  /**
   * @param notes in order of start; the search for their beats is slow otherwise
   * @param unitsPerTick half of it is the accuracy of the file
   */
  constructor(beats: Beats, notes: readonly PlayedNote[], unitsPerTick: number) {
    this.#beats = beats;
    this.#notes = notes;
    this.#unitsPerTick = unitsPerTick;
    const tolerance = Math.min(MAX_TOLERANCE, Math.max(MIN_TOLERANCE, unitsPerTick / 2 + EXACT));
    this.#tolerance = tolerance;
    this.#fifth = beats.units / QUINTUPLET;
    let beat = 0;
    let binary = 0;
    let tuplets = 0;
    for (let i = 0; i < notes.length; i++) {
      const onset = notes[i].start * unitsPerTick;
      if (Math.abs(onset - nearestBinary(onset)) <= tolerance) {
        binary++;
        continue;
      }
      beat = beats.near(beat, onset);
      const within = onset - beats.starts[beat];
      if (this.#isTriplet(within, beat) || this.#isQuintuplet(within, beat)) tuplets++;
    }
    this.onBinary = binary;
    this.onTuplets = tuplets;
    this.off = notes.length - binary - tuplets;
  }

  /** Whether the onsets on tuplets are not there by chance. */
  get hasTuplets(): boolean {
    return this.onTuplets > 0 && this.off <= this.onTuplets;
  }

  /** The step of each beat; undefined if all are binary. */
  steps(): Uint16Array | undefined {
    if (!this.hasTuplets) return undefined;
    let steps: Uint16Array | undefined;
    let hasFifths = false;
    for (const [beat, onsets] of this.#beatsWithoutBinary()) {
      const step = this.#stepOf(onsets);
      if (step === UNITS_PER_STEP) continue;
      steps ??= new Uint16Array(this.#beats.starts.length - 1).fill(UNITS_PER_STEP);
      steps[beat] = step;
      hasFifths ||= step === this.#fifth;
    }
    if (hasFifths) this.#dropFifths(steps!);
    return steps;
  }

  /**
   * The beats with onsets between the binary points, without those that have an onset on a binary point that triplets
   * do not have.
   */
  #beatsWithoutBinary(): Map<number, BeatOnsets> {
    const found = new Map<number, BeatOnsets>();
    const binary = new Set<number>();
    let beat = 0;
    for (const { start } of this.#notes) {
      const onset = start * this.#unitsPerTick;
      const nearest = nearestBinary(onset);
      if (Math.abs(onset - nearest) <= this.#tolerance) {
        beat = this.#beats.near(beat, nearest);
        if ((nearest - this.#beats.starts[beat]) % SHARED !== 0) binary.add(beat);
        continue;
      }
      beat = this.#beats.near(beat, onset);
      const within = onset - this.#beats.starts[beat];
      let onsets = found.get(beat);
      if (onsets === undefined) found.set(beat, (onsets = { odd: 0, triplets: 0, fifths: 0, fifthPoints: 0 }));
      onsets.odd++;
      if (this.#isTriplet(within, beat)) onsets.triplets++;
      if (this.#isQuintuplet(within, beat)) {
        onsets.fifths++;
        onsets.fifthPoints |= 1 << Math.round(within / this.#fifth);
      }
    }
    for (const other of binary) found.delete(other);
    return found;
  }

  /** Makes beats binary again in which notes end between the points of quintuplets. */
  #dropFifths(steps: Uint16Array): void {
    for (const { start, duration } of this.#notes) {
      const end = (start + duration) * this.#unitsPerTick;
      const beat = this.#beats.at(end);
      if (steps[beat] !== this.#fifth) continue;
      const within = end - this.#beats.starts[beat];
      const error = Math.abs(within - this.#fifth * Math.round(within / this.#fifth));
      if (error > MAX_QUINTUPLET_ERROR) steps[beat] = UNITS_PER_STEP;
    }
  }

  /** The step of a beat without onsets on points that only the binary grid has. */
  #stepOf({ odd, triplets, fifths, fifthPoints }: BeatOnsets): number {
    if (triplets > 0 && 2 * triplets >= odd) return UNITS_PER_TRIPLET_STEP;
    const hasTwoPoints = (fifthPoints & (fifthPoints - 1)) !== 0;
    return hasTwoPoints && fifths === odd ? this.#fifth : UNITS_PER_STEP;
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

/** The nearest point of the binary grid. */
function nearestBinary(position: number): number {
  return UNITS_PER_STEP * Math.round(position / UNITS_PER_STEP);
}
