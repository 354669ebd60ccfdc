/** ABC → MIDI file, and → Score: parse, perform, write or quantise. */
import { parseAbc, performTune } from './abc/index.ts';
import { writeMidi } from './midi/index.ts';
import { MusicError, type NoteSequence, type Score } from './model/index.ts';
import { DEFAULT_GRID, quantise } from './quantise/index.ts';

function perform(abc: string): NoteSequence {
  const tune = parseAbc(abc);
  const { sequence } = performTune(tune);
  if (sequence.parts.every((part) => part.notes.length === 0)) {
    const reason = tune.problems[0];
    throw new MusicError(
      `the ABC text has no note${reason === undefined ? '' : ` (line ${reason.line}: ${reason.message})`}`,
    );
  }
  return sequence;
}

/**
 * A tune as a Standard MIDI File of format 1. Plays what can be read and passes over the rest: `checkAbc` says what that is.
 * Throws MusicError where there is no note to play.
 */
export function abcToMidi(abc: string): Uint8Array {
  return writeMidi(perform(abc));
}

/**
 * A tune as a score, on a grid of so many steps a beat; of our own dialect nothing is lost, tuplets move to the grid.
 * Throws MusicError where there is no note.
 */
export function abcToScore(abc: string, grid: number = DEFAULT_GRID): Score {
  return quantise(perform(abc), grid).score;
}
