/**
 * Divides the voices of a score into layers: in each bar, each layer is a sequence of notes, chords and rests without
 * gaps.
 *
 * Notes with one onset and one duration are a chord. Notes that overlap otherwise go to parallel layers, which a bar
 * joins with `&`. A note that crosses a bar line stays in its layer and is tied. Only bars that need a further layer
 * have one.
 *
 * abc2midi gives each voice a MIDI channel, and each further layer of a voice another one. It has fifteen beside the
 * drum channel. If a score would need more, the voices with the most layers are sliced: they get one layer, which is
 * cut at every beginning and end of a note, with ties across the cuts.
 *
 * The result is one list of numbers, because an object for each piece would cost more time than everything else here:
 *
 *     piece           duration + TIED? + (n << COUNT_SHIFT), then its n pitches, ascending, each + PITCH_TIED?; n = 0 is a rest
 *     NEXT_LAYER      the next pieces start again at the beginning of the bar
 *     −1 − program    the program from here on
 */
import {
  MAX_NOTES_IN_CHORD,
  MAX_PITCHED_VOICES,
  MusicError,
  type Score,
  type ScoreBar,
  type ScoreNote,
  type ScoreVoice,
} from '../model/index.ts';
import { isPlainDuration } from '../quantise/index.ts';
import { NumberList } from './number-list.ts';

/** One voice as pieces of the shared list. */
export interface LayeredVoice {
  /**
   * The index of each bar's first piece, then the index after the last piece. A bar without pieces is silent.
   */
  bars: number[];
  /** the largest number of layers in a bar */
  layers: number;
}

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

/** The pitch list of a single note, by pitch, allocated once: most pieces are single notes. */
const SINGLE_PITCHES: number[][] = Array.from({ length: 128 }, (_, pitch) => [pitch]);
const SILENCE: number[] = [];
const NO_CHANGE = -1;

/** Durations that one note can have, longest first. */
const PLAIN_DURATIONS = Array.from({ length: MAX_PLAIN_STEPS }, (_, i) => MAX_PLAIN_STEPS - i).filter(isPlainDuration);
/** Durations from this one on are not kept in the cache below. */
const MIN_UNCACHED_STEPS = 1024;
/** Results of plainParts by duration, filled on demand. */
const PLAIN_PARTS: number[][] = [[]];

/** Divides a duration into plain ones, longest first: 5 = 4 + 1. */
function plainParts(steps: number): number[] {
  if (steps >= MIN_UNCACHED_STEPS) return [MAX_PLAIN_STEPS, ...plainParts(steps - MAX_PLAIN_STEPS)];
  return (PLAIN_PARTS[steps] ??= (() => {
    const first = PLAIN_DURATIONS.find((plain) => plain <= steps)!;
    return [first, ...plainParts(steps - first)];
  })());
}

/**
 * Divides all voices into layers, at most as many as ABC software can play.
 *
 * @param pieces is emptied, then filled with the pieces of all voices
 * @returns each voice's place in `pieces`
 * @throws MusicError if more than MAX_NOTES_IN_CHORD notes sound at once in a voice
 */
export function layerScore({ voices, bars }: Score, pieces: NumberList): LayeredVoice[] {
  pieces.truncate(0);
  const layered = voices.map((voice) => layerVoice(voice, bars, pieces));
  const layers = layered.map((voice, v) => (voices[v].drum ? 0 : voice.layers));
  const total = () => layers.reduce((sum, count) => sum + count, 0);
  while (total() > MAX_PITCHED_VOICES) {
    const most = layers.indexOf(Math.max(...layers));
    if (layers[most] <= 1) break;
    layered[most] = sliceVoice(voices[most], bars, pieces);
    layers[most] = 1;
  }
  return layered;
}

/** A layer of the bar that is being filled. */
class OpenLayer {
  /** The layer's pieces of this bar. The first layer comes first in the text, so its list is the score's. */
  readonly pieces: NumberList;
  /** whether this bar has a sound in it */
  used = false;
  /** the step up to which it is filled */
  end = 0;
  /** pitches that continue into the next bar */
  held: readonly number[] = SILENCE;
  /** the step at which they end; 0 if there are none */
  heldUntil = 0;

  constructor(pieces: NumberList) {
    this.pieces = pieces;
  }

  /** Begins the bar of steps from…to with the sound held over from the bar before. */
  beginBar(from: number, to: number): void {
    this.used = false;
    this.end = from;
    if (this.heldUntil > from) this.addSound(this.held, from, this.heldUntil, to, NO_CHANGE);
  }

  /** Adds a rest up to `start` and the part of a sound that fits the bar; the remainder is held. */
  addSound(pitches: readonly number[], start: number, until: number, barEnd: number, program: number): void {
    const crossesBarLine = until > barEnd;
    const end = crossesBarLine ? barEnd : until;
    if (start > this.end) addPieces(this.pieces, SILENCE, start - this.end, false);
    if (program !== NO_CHANGE) this.pieces.add(-1 - program);
    addPieces(this.pieces, pitches, end - start, crossesBarLine);
    this.used = true;
    this.end = end;
    this.held = pitches;
    this.heldUntil = crossesBarLine ? until : 0;
  }

  /** Fills the bar with rests. */
  endBar(to: number): void {
    if (this.end < to) addPieces(this.pieces, SILENCE, to - this.end, false);
  }
}

/**
 * Adds a note or chord as tied pieces of plain durations, or a silence as rests. If `tied`, the last piece is tied too.
 */
function addPieces(pieces: NumberList, pitches: readonly number[], steps: number, tied: boolean): void {
  const parts = plainParts(steps);
  const count = pitches.length << COUNT_SHIFT;
  const tie = pitches.length > 0 ? TIED : 0;
  for (let i = 0; i < parts.length; i++) {
    pieces.add(parts[i] + count + (tied || i + 1 < parts.length ? tie : 0));
    for (let p = 0; p < pitches.length; p++) pieces.add(pitches[p]);
  }
}

/**
 * Divides a voice into layers. A program change precedes the first note that has the program. The voice's first program
 * is not written here.
 */
function layerVoice({ notes }: ScoreVoice, bars: ScoreBar[], pieces: NumberList): LayeredVoice {
  const barStarts: number[] = [];
  const layers = [new OpenLayer(pieces)];
  let most = 0;
  let program = notes[0].program;
  let next = 0;
  let holding = false;
  for (let b = 0; b < bars.length; b++) {
    barStarts.push(pieces.length);
    const from = bars[b].start;
    const to = from + bars[b].length;
    if (!holding && (next === notes.length || notes[next].start >= to)) continue;
    for (let k = 0; k < layers.length; k++) layers[k].beginBar(from, to);
    while (next < notes.length && notes[next].start < to) {
      const { start, duration, pitch } = notes[next];
      const change = notes[next].program === program ? NO_CHANGE : notes[next].program;
      if (change !== NO_CHANGE) program = change;
      let pitches = SINGLE_PITCHES[pitch];
      const first = next++;
      while (next < notes.length && notes[next].start === start && notes[next].duration === duration) next++;
      if (next > first + 1) {
        checkChordSize(next - first);
        pitches = [];
        for (let i = first; i < next; i++) pitches.push(notes[i].pitch);
      }
      freeLayer(layers, start, from).addSound(pitches, start, start + duration, to, change);
    }
    const used = closeBar(layers, to);
    most = Math.max(most, used);
    holding = false;
    for (let k = 0; k < used; k++) holding ||= layers[k].heldUntil > 0;
  }
  barStarts.push(pieces.length);
  return { bars: barStarts, layers: most };
}

/**
 * Returns the used layer that needs the shortest rest before this onset. If none is free, returns a layer that this bar
 * has not used yet, or a new one.
 */
function freeLayer(layers: OpenLayer[], start: number, barStart: number): OpenLayer {
  let best: OpenLayer | undefined;
  for (let k = 0; k < layers.length; k++) {
    const layer = layers[k];
    if (layer.end > start) continue;
    if (best === undefined) best = layer;
    else if (layer.used && (!best.used || layer.end > best.end)) best = layer;
  }
  if (best === undefined) {
    best = new OpenLayer(new NumberList());
    best.end = barStart;
    layers.push(best);
  }
  return best;
}

/**
 * Appends the further layers of a bar to the first, up to the last that has a sound. Unused layers before it become
 * rests.
 *
 * @returns how many layers the bar has
 */
function closeBar(layers: OpenLayer[], to: number): number {
  let used = layers.length;
  while (!layers[used - 1].used) used--;
  const { pieces } = layers[0];
  layers[0].endBar(to);
  for (let k = 1; k < used; k++) {
    layers[k].endBar(to);
    pieces.add(NEXT_LAYER);
    const own = layers[k].pieces;
    for (let i = 0; i < own.length; i++) pieces.add(own.numbers[i]);
    own.truncate(0);
  }
  return used;
}

/** Throws a MusicError for a chord that readers of ABC, this library's included, do not accept. */
function checkChordSize(notes: number): void {
  if (notes > MAX_NOTES_IN_CHORD) {
    throw new MusicError(`${notes} notes sound at once in one voice; at most ${MAX_NOTES_IN_CHORD} can be written`);
  }
}

/** Writes a voice in one layer, cut at every beginning and end of a note. */
function sliceVoice({ notes }: ScoreVoice, bars: ScoreBar[], pieces: NumberList): LayeredVoice {
  const barStarts: number[] = [];
  let sounding: ScoreNote[] = [];
  let program = notes[0].program;
  let next = 0;
  for (const bar of bars) {
    barStarts.push(pieces.length);
    let silent = true;
    const to = bar.start + bar.length;
    for (let at = bar.start; at < to; ) {
      let change = NO_CHANGE;
      for (; next < notes.length && notes[next].start === at; next++) {
        sounding.push(notes[next]);
        if (notes[next].program !== program) change = program = notes[next].program;
      }
      let end = next < notes.length ? Math.min(to, notes[next].start) : to;
      for (const note of sounding) end = Math.min(end, note.start + note.duration);
      // Of equal pitches, the note that began first comes first: readers join ties in this order.
      sounding.sort((a, b) => a.pitch - b.pitch || a.start - b.start || a.duration - b.duration);
      if (change !== NO_CHANGE) pieces.add(-1 - change);
      addSlice(pieces, sounding, at, end);
      silent &&= sounding.length === 0;
      sounding = sounding.filter((note) => note.start + note.duration > end);
      at = end;
    }
    if (silent) pieces.truncate(barStarts[barStarts.length - 1]);
  }
  barStarts.push(pieces.length);
  return { bars: barStarts, layers: 1 };
}

/** Adds the chord that sounds from one cut to the next. In its last piece, only the pitches that continue are tied. */
function addSlice(pieces: NumberList, sounding: ScoreNote[], from: number, to: number): void {
  checkChordSize(sounding.length);
  const pitches = sounding.map((note) => note.pitch);
  const ties = sounding.map((note) => note.start + note.duration > to);
  const all = ties.length > 0 && ties.every(Boolean);
  addPieces(pieces, pitches, to - from, all);
  if (all) return;
  const last = pieces.length - pitches.length;
  for (let i = 0; i < ties.length; i++) if (ties[i]) pieces.numbers[last + i] += PITCH_TIED;
}
