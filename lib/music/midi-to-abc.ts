/** Converts MIDI files to ABC or to a score: read, quantise, write. */
import { type Layout, writeAbc } from './abc/index.ts';
import { readMidi } from './midi/index.ts';
import { countNotes, type Score } from './model/index.ts';
import { DEFAULT_GRID, quantise } from './quantise/index.ts';

/** How midiToAbc writes a tune. */
export interface MidiToAbcOptions {
  /** steps per quarter note: 1, 2, 4, 8, 16 or 32; default 16 */
  grid?: number;
  /** one bar of all voices after another, or one voice after another; default interleaved */
  layout?: Layout;
}

/** A converted MIDI file. */
export interface AbcResult {
  abc: string;
  /** number of notes in the tune */
  notes: number;
  /** one sentence for each repair or omission */
  warnings: string[];
}

/**
 * Reads a MIDI file as a score.
 *
 * @param grid steps per quarter note
 * @throws MusicError if the bytes are not a MIDI file or have no note
 */
export function midiToScore(bytes: Uint8Array, grid: number = DEFAULT_GRID): { score: Score; warnings: string[] } {
  const { sequence, warnings } = readMidi(bytes);
  const quantised = quantise(sequence, { grid, doubtCMajor: true });
  return { score: quantised.score, warnings: [...warnings, ...quantised.warnings] };
}

/**
 * Converts a Standard MIDI File to ABC. Titles, lyrics, dynamics, controllers and pitch bends are left out.
 *
 * @throws MusicError if the bytes are not a MIDI file or have no note
 * @example midiToAbc(await readFile('tune.mid'), { grid: 8 }).abc
 */
export function midiToAbc(bytes: Uint8Array, options: MidiToAbcOptions = {}): AbcResult {
  const { score, warnings } = midiToScore(bytes, options.grid);
  return { abc: writeAbc(score, options.layout), notes: countNotes(score), warnings };
}
