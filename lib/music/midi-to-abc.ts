/** Converts MIDI files to ABC or to a score: read, quantise, write. */
import { type Layout, writeAbc } from './abc/index.ts';
import { readMidi } from './midi/index.ts';
import { countNotes, type Score } from './model/index.ts';
import { quantise } from './quantise/index.ts';

/** How a MIDI file becomes a score. */
export interface MidiToScoreOptions {
  /** steps per quarter note: 1, 2, 4, 8, 16 or 32; default 16 */
  grid?: number;
  /** whether beats may have triplets and quintuplets; default true */
  tuplets?: boolean;
  /** whether the tempo may change; otherwise a tune has one, with which it lasts as long. Default true */
  tempoChanges?: boolean;
}

/** How midiToAbc writes a tune. */
export interface MidiToAbcOptions extends MidiToScoreOptions {
  /** one bar of all voices after another, or one voice after another; default interleaved */
  layout?: Layout;
}

/** Findings about a MIDI file, besides its notes. */
export interface MidiFindings {
  /** one sentence for each repair or omission */
  warnings: string[];
  /**
   * whether most notes begin between the points of the grid: the file is a performance, whose bar lines and beats meet
   * the music by chance
   */
  performance: boolean;
}

/** A converted MIDI file. */
export interface AbcResult extends MidiFindings {
  abc: string;
  /** number of notes in the tune */
  notes: number;
}

/** A file is a performance if more than this share of its onsets lies between the points of the grid. */
const MAX_OFF_GRID = 0.5;

/**
 * Reads a MIDI file as a score.
 *
 * @throws MusicError if the bytes are not a MIDI file or have no note
 */
export function midiToScore(bytes: Uint8Array, options: MidiToScoreOptions = {}): { score: Score } & MidiFindings {
  const { sequence, warnings } = readMidi(bytes);
  const quantised = quantise(sequence, { ...options, doubtCMajor: true });
  return {
    score: quantised.score,
    warnings: [...warnings, ...quantised.warnings],
    performance: quantised.offGrid > MAX_OFF_GRID,
  };
}

/**
 * Converts a Standard MIDI File to ABC. Titles, lyrics, dynamics, controllers and pitch bends are left out.
 *
 * @throws MusicError if the bytes are not a MIDI file or have no note
 * @example midiToAbc(await readFile('tune.mid'), { grid: 8 }).abc
 */
export function midiToAbc(bytes: Uint8Array, options: MidiToAbcOptions = {}): AbcResult {
  const { layout, ...scoreOptions } = options;
  const { score, warnings, performance } = midiToScore(bytes, scoreOptions);
  return { abc: writeAbc(score, layout), notes: countNotes(score), warnings, performance };
}
