/** Changes to a tune's text for the training data: removing leading silence, and transposing. */
import {
  abcToScore,
  type Layout,
  MusicError,
  transposeScore,
  trimLeadingSilence,
  writeAbc,
} from '../../music/index.ts';

/** Steps per quarter note. This is the finest grid, so text of every coarser grid is exact on it. */
const GRID = 32;

/** The layout of a text. The functions below keep it. */
function layoutOf(abc: string): Layout {
  return /^\[V:/m.test(abc) || !/^V:/m.test(abc) ? 'interleaved' : 'voices';
}

/**
 * Removes the empty bars before the first note.
 *
 * @throws MusicError if the text cannot be read as music
 */
export function withoutLeadingSilence(abc: string): string {
  return writeAbc(trimLeadingSilence(abcToScore(abc, GRID)), layoutOf(abc));
}

/**
 * Transposes a tune. Drums are unchanged.
 *
 * @param semitones upwards; negative is downwards
 * @returns undefined if a pitch would be outside MIDI's range
 */
export function transposed(abc: string, semitones: number): string | undefined {
  try {
    return writeAbc(transposeScore(abcToScore(abc, GRID), semitones), layoutOf(abc));
  } catch (error) {
    if (error instanceof MusicError) return undefined;
    throw error;
  }
}
