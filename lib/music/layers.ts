/**
 * A voice of a score → what stands in each bar of each of its layers: notes, chords and rests, one after another without a gap.
 *
 * Notes that sound together from one onset for one duration are a chord; what overlaps otherwise is laid side by side, in
 * layers that a bar joins with `&`. A note keeps its layer over bar lines, tied. A layer is there only in bars that need it.
 */
import { isPlainDuration } from './quantise.ts';
import type { ScoreBar, ScoreVoice } from './score.ts';

export interface Piece {
  /** in steps; a plain duration */
  duration: number;
  /** ascending; none is a rest */
  pitches: number[];
  /** whether the piece after it in the layer goes on with the same sound */
  tied: boolean;
  /** the program that begins here, or −1 */
  program: number;
}

/** Pieces by layer; no layer at all is a bar of silence. */
export type BarLayers = Piece[][];

/** The longest that ABC software takes as one note: a breve of a grid of 16, dotted twice. */
const LONGEST_PLAIN = 128;

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

/** A layer while it is being filled: what it holds in this bar, up to where, and what sounds on beyond the bar. */
interface OpenLayer {
  pieces: Piece[] | undefined;
  end: number;
  held: number[];
  heldUntil: number;
}

/** One entry for each bar. Program changes stand with the first note that has them; the first program is not among them. */
export function layVoice(voice: ScoreVoice, bars: ScoreBar[]): BarLayers[] {
  const { notes } = voice;
  const layers: OpenLayer[] = [];
  const result: BarLayers[] = new Array(bars.length);
  let program = notes[0].program;
  let next = 0;
  for (let b = 0; b < bars.length; b++) {
    const from = bars[b].start;
    const to = from + bars[b].length;
    for (const layer of layers) {
      layer.pieces = undefined;
      layer.end = from;
      if (layer.heldUntil > from) sound(layer, layer.held, layer.heldUntil, from, to, -1);
    }
    while (next < notes.length && notes[next].start < to) {
      const { start, duration } = notes[next];
      const pitches: number[] = [];
      const change = notes[next].program === program ? -1 : notes[next].program;
      if (change >= 0) program = change;
      for (; next < notes.length && notes[next].start === start && notes[next].duration === duration; next++) {
        pitches.push(notes[next].pitch);
      }
      sound(freeLayer(layers, start, from), pitches, start + duration, from, to, change, start);
    }
    result[b] = closeBar(layers, from, to);
  }
  return result;
}

/** The layer that this onset continues with the least rest; else one not yet used in this bar; else a new one. */
function freeLayer(layers: OpenLayer[], start: number, from: number): OpenLayer {
  let best: OpenLayer | undefined;
  for (const layer of layers) {
    if (layer.end > start) continue;
    if (best === undefined) best = layer;
    else if (layer.pieces !== undefined && (best.pieces === undefined || layer.end > best.end)) best = layer;
  }
  if (best === undefined) {
    best = { pieces: undefined, end: from, held: [], heldUntil: 0 };
    layers.push(best);
  }
  return best;
}

/** Adds a sound to a layer as far as the bar goes, after the rest before it, and holds what is left over. */
function sound(
  layer: OpenLayer,
  pitches: number[],
  until: number,
  from: number,
  to: number,
  program: number,
  start = from,
): void {
  layer.pieces ??= [];
  if (start > layer.end) rest(layer.pieces, start - layer.end);
  const end = Math.min(until, to);
  const parts = plainParts(end - start);
  for (let i = 0; i < parts.length; i++) {
    const tied = i + 1 < parts.length || until > to;
    layer.pieces.push({ duration: parts[i], pitches, tied, program: i === 0 ? program : -1 });
  }
  layer.end = end;
  layer.held = pitches;
  layer.heldUntil = until > to ? until : 0;
}

function rest(pieces: Piece[], steps: number): void {
  for (const duration of plainParts(steps)) pieces.push({ duration, pitches: [], tied: false, program: -1 });
}

function closeBar(layers: OpenLayer[], from: number, to: number): BarLayers {
  const used = layers.findLastIndex((layer) => layer.pieces !== undefined) + 1;
  const result: BarLayers = [];
  for (let k = 0; k < used; k++) {
    const pieces = (layers[k].pieces ??= []);
    const end = pieces.length === 0 ? from : layers[k].end;
    if (end < to) rest(pieces, to - end);
    result.push(pieces);
  }
  return result;
}
