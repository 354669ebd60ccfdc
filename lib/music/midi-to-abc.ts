/** MIDI file → ABC: read, quantise, write. */
import { type Layout, writeAbc } from './abc/index.ts';
import { readMidi } from './midi/index.ts';
import { countNotes, type Score } from './model/index.ts';
import { DEFAULT_GRID, quantise } from './quantise/index.ts';

export interface MidiToAbcOptions {
  /** steps to a beat (a quarter note): 1, 2, 4, 8, 16 or 32; default 16 */
  grid?: number;
  /** one bar of all voices after another, or one voice after another; default interleaved */
  layout?: Layout;
}

export interface AbcResult {
  abc: string;
  /** how many notes the tune has */
  notes: number;
  /** what was repaired or left out, in words */
  warnings: string[];
}

/** Throws MusicError where the bytes are no MIDI file or hold no note. */
export function midiToScore(bytes: Uint8Array, grid: number = DEFAULT_GRID): { score: Score; warnings: string[] } {
  const { sequence, warnings } = readMidi(bytes);
  const quantised = quantise(sequence, grid);
  return { score: quantised.score, warnings: [...warnings, ...quantised.warnings] };
}

/**
 * The music of a Standard MIDI File as ABC. Titles, lyrics, dynamics, controllers and pitch bends are left out.
 * Throws MusicError where the bytes are no MIDI file or hold no note.
 */
export function midiToAbc(bytes: Uint8Array, options: MidiToAbcOptions = {}): AbcResult {
  const { score, warnings } = midiToScore(bytes, options.grid);
  return { abc: writeAbc(score, options.layout), notes: countNotes(score), warnings };
}
