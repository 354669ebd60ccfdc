/**
 * Voices of a score → what stands in each bar of each of their layers: notes, chords and rests, one after another without a gap.
 *
 * Notes that sound together from one onset for one duration are a chord; what overlaps otherwise is laid side by side, in
 * layers that a bar joins with `&`. A note keeps its layer over bar lines, tied. A layer is there only in bars that need it.
 *
 * abc2midi gives each voice, and each layer of a voice beyond the first, a MIDI channel, and has fifteen beside the drums'. Where
 * there would be more, the voice with the most layers is sliced instead: one layer, cut at every beginning and end, tied across.
 *
 * A score laid out is one list of numbers, for an object a piece would cost more than all else here:
 *
 *     piece           duration + TIED? + (n << COUNT_SHIFT), then its n pitches, ascending, each + PITCH_TIED?; n = 0 is a rest
 *     NEXT_LAYER      what follows begins again with the bar
 *     −1 − program    the program of all from here on
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

export interface LaidVoice {
  /** by bar, where among the pieces it begins, and after the last bar where that ends; a bar of no piece is silent */
  bars: number[];
  /** how many layers the bar with the most of them has */
  layers: number;
}

/** The longest that ABC software takes as one note: a breve of a grid of 16, dotted twice. */
export const LONGEST_PLAIN = 128;
/** The piece after it in the layer goes on with the same sound. */
export const TIED = 256;
/** The bits of duration and tie. */
export const LENGTH_MASK = 511;
export const COUNT_SHIFT = 9;
/** Of a piece whose pitches differ in that: this one is tied. */
export const PITCH_TIED = 128;
export const NEXT_LAYER = 0;

/** By pitch, the pitches of a single note: most pieces are one. */
const SINGLES: number[][] = Array.from({ length: 128 }, (_, pitch) => [pitch]);
const SILENCE: number[] = [];
const NO_CHANGE = -1;

const plainDurations: number[] = [];
for (let steps = LONGEST_PLAIN; steps >= 1; steps--) if (isPlainDuration(steps)) plainDurations.push(steps);
const splits: number[][] = [[]];

/** A duration as the fewest plain ones, longest first: 5 = 4 + 1. */
function plainParts(steps: number): number[] {
  if (steps >= 1024) return [LONGEST_PLAIN, ...plainParts(steps - LONGEST_PLAIN)];
  return (splits[steps] ??= (() => {
    const first = plainDurations.find((plain) => plain <= steps)!;
    return [first, ...plainParts(steps - first)];
  })());
}

/** The bars of each voice, in as many layers as ABC software can play; `pieces` is emptied, and gets what they are made of. */
export function layScore({ voices, bars }: Score, pieces: NumberList): LaidVoice[] {
  pieces.cut(0);
  const laid = voices.map((voice) => layVoice(voice, bars, pieces));
  const layers = laid.map((voice, v) => (voices[v].drum ? 0 : voice.layers));
  const total = () => layers.reduce((sum, count) => sum + count, 0);
  while (total() > MAX_PITCHED_VOICES) {
    const most = layers.indexOf(Math.max(...layers));
    if (layers[most] <= 1) break;
    laid[most] = sliceVoice(voices[most], bars, pieces);
    layers[most] = 1;
  }
  return laid;
}

/** A layer while a bar is filled: what it holds, up to where, and what sounds on beyond the bar. */
class OpenLayer {
  /** of this bar; of the first layer, which comes first in the text, the score's */
  readonly pieces: NumberList;
  /** whether this bar has something in it */
  used = false;
  end = 0;
  held: readonly number[] = SILENCE;
  /** 0 where nothing is held */
  heldUntil = 0;

  constructor(pieces: NumberList) {
    this.pieces = pieces;
  }

  beginBar(from: number, to: number): void {
    this.used = false;
    this.end = from;
    if (this.heldUntil > from) this.sound(this.held, from, this.heldUntil, to, NO_CHANGE);
  }

  /** Adds a sound as far as the bar goes, after the rest before it, and holds what is left over. */
  sound(pitches: readonly number[], start: number, until: number, to: number, program: number): void {
    const goesOn = until > to;
    const end = goesOn ? to : until;
    if (start > this.end) addPieces(this.pieces, SILENCE, start - this.end, false);
    if (program !== NO_CHANGE) this.pieces.add(-1 - program);
    addPieces(this.pieces, pitches, end - start, goesOn);
    this.used = true;
    this.end = end;
    this.held = pitches;
    this.heldUntil = goesOn ? until : 0;
  }

  /** Rests to the end of the bar. */
  endBar(to: number): void {
    if (this.end < to) addPieces(this.pieces, SILENCE, to - this.end, false);
  }
}

/** Adds so many steps of a sound, in tied pieces; of silence, in rests. */
function addPieces(pieces: NumberList, pitches: readonly number[], steps: number, tied: boolean): void {
  const parts = plainParts(steps);
  const count = pitches.length << COUNT_SHIFT;
  const tie = pitches.length > 0 ? TIED : 0;
  for (let i = 0; i < parts.length; i++) {
    pieces.add(parts[i] + count + (tied || i + 1 < parts.length ? tie : 0));
    for (let p = 0; p < pitches.length; p++) pieces.add(pitches[p]);
  }
}

/** Programs stand with the first note that has them; the first program is not among them. */
function layVoice({ notes }: ScoreVoice, bars: ScoreBar[], pieces: NumberList): LaidVoice {
  const begins: number[] = [];
  const layers = [new OpenLayer(pieces)];
  let most = 0;
  let program = notes[0].program;
  let next = 0;
  let holding = false;
  for (let b = 0; b < bars.length; b++) {
    begins.push(pieces.length);
    const from = bars[b].start;
    const to = from + bars[b].length;
    if (!holding && (next === notes.length || notes[next].start >= to)) continue;
    for (let k = 0; k < layers.length; k++) layers[k].beginBar(from, to);
    while (next < notes.length && notes[next].start < to) {
      const { start, duration, pitch } = notes[next];
      const change = notes[next].program === program ? NO_CHANGE : notes[next].program;
      if (change !== NO_CHANGE) program = change;
      let pitches = SINGLES[pitch];
      const first = next++;
      while (next < notes.length && notes[next].start === start && notes[next].duration === duration) next++;
      if (next > first + 1) {
        checkChord(next - first);
        pitches = [];
        for (let i = first; i < next; i++) pitches.push(notes[i].pitch);
      }
      freeLayer(layers, start, from).sound(pitches, start, start + duration, to, change);
    }
    const used = closeBar(layers, to);
    most = Math.max(most, used);
    holding = false;
    for (let k = 0; k < used; k++) holding ||= layers[k].heldUntil > 0;
  }
  begins.push(pieces.length);
  return { bars: begins, layers: most };
}

/** The layer that this onset continues with the least rest; else one not yet used in this bar; else a new one. */
function freeLayer(layers: OpenLayer[], start: number, from: number): OpenLayer {
  let best: OpenLayer | undefined;
  for (let k = 0; k < layers.length; k++) {
    const layer = layers[k];
    if (layer.end > start) continue;
    if (best === undefined) best = layer;
    else if (layer.used && (!best.used || layer.end > best.end)) best = layer;
  }
  if (best === undefined) {
    best = new OpenLayer(new NumberList());
    best.end = from;
    layers.push(best);
  }
  return best;
}

/** Adds the layers beyond the first to it, and those that are empty as rests up to the last that is not; returns how many there are. */
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
    own.cut(0);
  }
  return used;
}

/** Refuses what no reader of ABC would take, ours among them. */
function checkChord(notes: number): void {
  if (notes > MAX_NOTES_IN_CHORD) {
    throw new MusicError(`${notes} notes sound at once in one voice: more than ${MAX_NOTES_IN_CHORD} are no music`);
  }
}

/** A voice in one layer. */
function sliceVoice({ notes }: ScoreVoice, bars: ScoreBar[], pieces: NumberList): LaidVoice {
  const begins: number[] = [];
  let sounding: ScoreNote[] = [];
  let program = notes[0].program;
  let next = 0;
  for (const bar of bars) {
    begins.push(pieces.length);
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
      // Of equal pitches the one that began first comes first: a reader joins ties in this order.
      sounding.sort((a, b) => a.pitch - b.pitch || a.start - b.start || a.duration - b.duration);
      if (change !== NO_CHANGE) pieces.add(-1 - change);
      addSlice(pieces, sounding, at, end);
      silent &&= sounding.length === 0;
      sounding = sounding.filter((note) => note.start + note.duration > end);
      at = end;
    }
    if (silent) pieces.cut(begins[begins.length - 1]);
  }
  begins.push(pieces.length);
  return { bars: begins, layers: 1 };
}

/** What sounds from one beginning or end to the next: of its last piece, only pitches that go on are tied. */
function addSlice(pieces: NumberList, sounding: ScoreNote[], from: number, to: number): void {
  checkChord(sounding.length);
  const pitches = sounding.map((note) => note.pitch);
  const ties = sounding.map((note) => note.start + note.duration > to);
  const all = ties.length > 0 && ties.every(Boolean);
  addPieces(pieces, pitches, to - from, all);
  if (all) return;
  const last = pieces.length - pitches.length;
  for (let i = 0; i < ties.length; i++) if (ties[i]) pieces.numbers[last + i] += PITCH_TIED;
}
