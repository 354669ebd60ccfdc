/** Converts ABC to a MIDI file or to a score: parse, play, then write or quantise. */
import { checkTune, type Problem, parseAbc, performTune, type Remark, type Tune } from './abc/index.ts';
import { writeMidi } from './midi/index.ts';
import { MusicError, type NoteSequence, type Score } from './model/index.ts';
import { DEFAULT_GRID, type QuantiseOptions, quantise } from './quantise/index.ts';

/** A text that has been parsed once, for callers that need several results of it. */
export interface AbcReading {
  /** the same as checkAbc gives */
  problems: Problem[];
  /** what was passed over without being a problem, such as unknown words in fields */
  remarks: Remark[];
  /** number of notes that sound; tied notes are one */
  notes: number;
  /** the MIDI file, as from abcToMidi; throws MusicError if the tune has no note */
  toMidi(): Uint8Array;
  /** the same as abcToScore gives; throws MusicError as that does */
  toScore(options?: QuantiseOptions): Score;
}

/**
 * Parses and plays a tune once. Its problems, MIDI file and score are made from that.
 *
 * @example const { problems, toMidi, toScore } = readAbc(text)
 */
export function readAbc(abc: string): AbcReading {
  const tune = parseAbc(abc);
  const { sequence, problems } = performTune(tune);
  return {
    problems: checkTune(tune, problems),
    remarks: tune.remarks,
    notes: sequence.parts.reduce((sum, { notes }) => sum + notes.length, 0),
    toMidi: () => writeMidi(requireNotes(sequence, tune)),
    toScore: (options) => quantise(requireNotes(sequence, tune), options).score,
  };
}

/**
 * Converts a tune to a Standard MIDI File of format 1. Plays everything that is readable and skips the rest; checkAbc
 * lists it.
 *
 * @throws MusicError if there is no note to play
 */
export function abcToMidi(abc: string): Uint8Array {
  return writeMidi(perform(abc));
}

/**
 * Converts a tune to a score. Text that this library wrote loses nothing; other tuplets than triplets and quintuplets
 * move to the grid.
 *
 * @param grid steps per quarter note: 1, 2, 4, 8, 16 or 32
 * @throws MusicError if there is no note, the grid is none of these, or the music has more than 10,000 bars
 */
export function abcToScore(abc: string, grid: number = DEFAULT_GRID): Score {
  return quantise(perform(abc), { grid }).score;
}

function perform(abc: string): NoteSequence {
  const tune = parseAbc(abc);
  return requireNotes(performTune(tune).sequence, tune);
}

/** Returns the sequence, or throws with the tune's first problem as the reason. */
function requireNotes(sequence: NoteSequence, tune: Tune): NoteSequence {
  if (sequence.parts.every((part) => part.notes.length === 0)) {
    const reason = tune.problems[0];
    throw new MusicError(
      `the ABC text has no note${reason === undefined ? '' : ` (line ${reason.line}: ${reason.message})`}`,
    );
  }
  return sequence;
}
