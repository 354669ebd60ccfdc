/**
 * Voices of a score → what stands in each bar of each of their layers: notes, chords and rests, one after another without a gap.
 *
 * Notes that sound together from one onset for one duration are a chord; what overlaps otherwise is laid side by side, in
 * layers that a bar joins with `&`. A note keeps its layer over bar lines, tied. A layer is there only in bars that need it.
 *
 * abc2midi gives each voice, and each layer of a voice beyond the first, a MIDI channel, and has fifteen beside the drums'. Where
 * there would be more, the voice with the most layers is sliced instead: one layer, cut at every beginning and end, tied across.
 */
import { isPlainDuration } from './quantise.ts';
import { MAX_PITCHED_VOICES, type Score, type ScoreBar, type ScoreNote, type ScoreVoice } from './score.ts';

export interface Piece {
  /** in steps; a plain duration */
  duration: number;
  /** ascending; none is a rest */
  pitches: number[];
  /** whether the piece after it in the layer goes on with the same sound; by pitch, where they differ in that */
  tied: boolean | boolean[];
  /** the program that begins here, or −1 */
  program: number;
}

/** Pieces by layer; no layer at all is a bar of silence. */
export type BarLayers = Piece[][];

const SILENCE: BarLayers = [];
/** By pitch, the pitches of a single note: most pieces are one, and they are all alike. */
const SINGLES: number[][] = Array.from({ length: 128 }, (_, pitch) => [pitch]);

/** The longest that ABC software takes as one note: a breve of a grid of 16, dotted twice. */
export const LONGEST_PLAIN = 128;

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

/** The bars of each voice, in as many layers as ABC software can play. */
export function layScore({ voices, bars }: Score): BarLayers[][] {
  const laid = voices.map((voice) => layVoice(voice, bars));
  const layers = laid.map((voice, v) => (voices[v].drum ? 0 : Math.max(...voice.map((bar) => bar.length))));
  const total = () => layers.reduce((sum, count) => sum + count, 0);
  while (total() > MAX_PITCHED_VOICES) {
    const most = layers.indexOf(Math.max(...layers));
    if (layers[most] <= 1) break;
    laid[most] = sliceVoice(voices[most], bars);
    layers[most] = 1;
  }
  return laid;
}

/** One entry for each bar. Program changes stand with the first note that has them; the first program is not among them. */
function layVoice(voice: ScoreVoice, bars: ScoreBar[]): BarLayers[] {
  const { notes } = voice;
  const layers: OpenLayer[] = [];
  const result: BarLayers[] = new Array(bars.length);
  let program = notes[0].program;
  let next = 0;
  let holding = false;
  for (let b = 0; b < bars.length; b++) {
    const from = bars[b].start;
    const to = from + bars[b].length;
    if (!holding && (next === notes.length || notes[next].start >= to)) {
      result[b] = SILENCE;
      continue;
    }
    for (const layer of layers) {
      layer.pieces = undefined;
      layer.end = from;
      if (layer.heldUntil > from) sound(layer, layer.held, layer.heldUntil, from, to, -1);
    }
    while (next < notes.length && notes[next].start < to) {
      const { start, duration } = notes[next];
      const change = notes[next].program === program ? -1 : notes[next].program;
      if (change >= 0) program = change;
      let pitches = SINGLES[notes[next].pitch];
      const first = next++;
      while (next < notes.length && notes[next].start === start && notes[next].duration === duration) next++;
      if (next > first + 1) {
        pitches = [];
        for (let i = first; i < next; i++) pitches.push(notes[i].pitch);
      }
      sound(freeLayer(layers, start, from), pitches, start + duration, from, to, change, start);
    }
    result[b] = closeBar(layers, from, to);
    holding = false;
    for (const layer of layers) holding ||= layer.heldUntil > 0;
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

/** Rests are all alike, so each duration has one. */
const rests: Piece[] = [];

function rest(pieces: Piece[], steps: number): void {
  for (const duration of plainParts(steps)) {
    pieces.push((rests[duration] ??= { duration, pitches: [], tied: false, program: -1 }));
  }
}

function closeBar(layers: OpenLayer[], from: number, to: number): BarLayers {
  let used = layers.length;
  while (layers[used - 1].pieces === undefined) used--;
  const result: BarLayers = [];
  for (let k = 0; k < used; k++) {
    const pieces = (layers[k].pieces ??= []);
    const end = pieces.length === 0 ? from : layers[k].end;
    if (end < to) rest(pieces, to - end);
    result.push(pieces);
  }
  return result;
}

/** A voice in one layer. */
function sliceVoice({ notes }: ScoreVoice, bars: ScoreBar[]): BarLayers[] {
  let sounding: ScoreNote[] = [];
  let program = notes[0].program;
  let next = 0;
  return bars.map((bar) => {
    const pieces: Piece[] = [];
    const to = bar.start + bar.length;
    for (let at = bar.start; at < to; ) {
      let change = -1;
      for (; next < notes.length && notes[next].start === at; next++) {
        sounding.push(notes[next]);
        if (notes[next].program !== program) change = program = notes[next].program;
      }
      let end = next < notes.length ? Math.min(to, notes[next].start) : to;
      for (const note of sounding) end = Math.min(end, note.start + note.duration);
      // Of equal pitches the one that began first comes first: a reader joins ties in this order.
      sounding.sort((a, b) => a.pitch - b.pitch || a.start - b.start || a.duration - b.duration);
      const ties = sounding.map((note) => note.start + note.duration > end);
      const same = ties.every((tie) => tie === ties[0]);
      const parts = plainParts(end - at);
      const pitches = sounding.map((note) => note.pitch);
      for (let i = 0; i < parts.length; i++) {
        const last = i === parts.length - 1;
        const tied = pitches.length > 0 && (last ? (same ? ties[0] : ties) : true);
        pieces.push({ duration: parts[i], pitches, tied, program: i === 0 ? change : -1 });
      }
      sounding = sounding.filter((_, i) => ties[i]);
      at = end;
    }
    return pieces.every((piece) => piece.pitches.length === 0) ? [] : [pieces];
  });
}
