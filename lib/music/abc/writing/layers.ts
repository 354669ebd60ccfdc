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
 * The result is one list of pieces (pieces.ts). rhythm.ts writes the sounds of a layer as pieces.
 */
import {
  MAX_NOTES_IN_CHORD,
  MAX_PITCHED_VOICES,
  MusicError,
  type Score,
  type ScoreBar,
  type ScoreNote,
  type ScoreVoice,
} from '../../model/index.ts';
import { NumberList } from './number-list.ts';
import { NEXT_LAYER, NO_CHANGE, SILENCE } from './pieces.ts';
import { RhythmWriter } from './rhythm.ts';

/** One voice as pieces of the shared list. */
export interface LayeredVoice {
  /**
   * The index of each bar's first piece, then the index after the last piece. A bar without pieces is silent.
   */
  bars: number[];
  /** the largest number of layers in a bar */
  layers: number;
}

/** The pitch list of a single note, by pitch, allocated once: most pieces are single notes. */
const SINGLE_PITCHES: number[][] = Array.from({ length: 128 }, (_, pitch) => [pitch]);

/**
 * Divides all voices into layers, at most as many as ABC software can play.
 *
 * @param pieces is emptied, then filled with the pieces of all voices
 * @returns each voice's place in `pieces`
 * @throws MusicError if more than MAX_NOTES_IN_CHORD notes sound at once in a voice
 */
export function layerScore({ voices, bars, unitsPerBeat }: Score, pieces: NumberList): LayeredVoice[] {
  pieces.truncate(0);
  const layered = voices.map((voice) => layerVoice(voice, bars, unitsPerBeat, pieces));
  const layers = layered.map((voice, v) => (voices[v].drum ? 0 : voice.layers));
  const total = () => layers.reduce((sum, count) => sum + count, 0);
  while (total() > MAX_PITCHED_VOICES) {
    const most = layers.indexOf(Math.max(...layers));
    if (layers[most] <= 1) break;
    layered[most] = sliceVoice(voices[most], bars, unitsPerBeat, pieces);
    layers[most] = 1;
  }
  return layered;
}

/** A layer of the bar that is being filled. */
class OpenLayer {
  /** The layer's pieces of this bar. The first layer comes first in the text, so its list is the score's. */
  readonly pieces: NumberList;
  readonly #rhythm: RhythmWriter;
  /** whether this bar has a sound in it */
  used = false;
  /** the unit at which the bar begins */
  barStart = 0;
  /** the unit up to which it is filled */
  end = 0;
  /** pitches that continue into the next bar */
  held: readonly number[] = SILENCE;
  /** the unit at which they end; 0 if there are none */
  heldUntil = 0;

  constructor(pieces: NumberList, unitsPerBeat: number) {
    this.pieces = pieces;
    this.#rhythm = new RhythmWriter(pieces, unitsPerBeat);
  }

  /** Begins the bar of units from…to with the sound held over from the bar before. */
  beginBar(from: number, to: number): void {
    this.used = false;
    this.barStart = this.end = from;
    if (this.heldUntil > from) this.addSound(this.held, from, this.heldUntil, to, NO_CHANGE);
  }

  /** Adds a rest up to `start` and the part of a sound that fits the bar; the remainder is held. */
  addSound(pitches: readonly number[], start: number, until: number, barEnd: number, program: number): void {
    const crossesBarLine = until > barEnd;
    const end = crossesBarLine ? barEnd : until;
    const { barStart } = this;
    if (start > this.end) this.#rhythm.add(SILENCE, this.end - barStart, start - barStart, false);
    this.#rhythm.add(pitches, start - barStart, end - barStart, crossesBarLine, program);
    this.used = true;
    this.end = end;
    this.held = pitches;
    this.heldUntil = crossesBarLine ? until : 0;
  }

  /** Fills the bar with rests. */
  endBar(to: number): void {
    if (this.end < to) this.#rhythm.add(SILENCE, this.end - this.barStart, to - this.barStart, false);
  }
}

/**
 * Divides a voice into layers. A program change precedes the first note that has the program. The voice's first program
 * is not written here.
 */
function layerVoice({ notes }: ScoreVoice, bars: ScoreBar[], unitsPerBeat: number, pieces: NumberList): LayeredVoice {
  const barStarts: number[] = [];
  const layers = [new OpenLayer(pieces, unitsPerBeat)];
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
      freeLayer(layers, start, from, unitsPerBeat).addSound(pitches, start, start + duration, to, change);
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
function freeLayer(layers: OpenLayer[], start: number, barStart: number, unitsPerBeat: number): OpenLayer {
  let best: OpenLayer | undefined;
  for (let k = 0; k < layers.length; k++) {
    const layer = layers[k];
    if (layer.end > start) continue;
    if (best === undefined) best = layer;
    else if (layer.used && (!best.used || layer.end > best.end)) best = layer;
  }
  if (best === undefined) {
    best = new OpenLayer(new NumberList(), unitsPerBeat);
    best.barStart = best.end = barStart;
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
function sliceVoice({ notes }: ScoreVoice, bars: ScoreBar[], unitsPerBeat: number, pieces: NumberList): LayeredVoice {
  const barStarts: number[] = [];
  const rhythm = new RhythmWriter(pieces, unitsPerBeat);
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
      addSlice(rhythm, sounding, at - bar.start, end - bar.start, bar.start, change);
      silent &&= sounding.length === 0;
      sounding = sounding.filter((note) => note.start + note.duration > end);
      at = end;
    }
    if (silent) pieces.truncate(barStarts[barStarts.length - 1]);
  }
  barStarts.push(pieces.length);
  return { bars: barStarts, layers: 1 };
}

/**
 * Adds the chord that sounds from one cut to the next. In its last piece, only the pitches that continue are tied.
 *
 * @param from from the bar line, as `to`
 */
function addSlice(
  rhythm: RhythmWriter,
  sounding: ScoreNote[],
  from: number,
  to: number,
  barStart: number,
  program: number,
): void {
  checkChordSize(sounding.length);
  const pitches = sounding.map((note) => note.pitch);
  const ties = sounding.map((note) => note.start + note.duration > barStart + to);
  const all = ties.length > 0 && ties.every(Boolean);
  rhythm.add(pitches, from, to, all, program, all ? undefined : ties);
}
