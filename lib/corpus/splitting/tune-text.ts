/** A tune's text as the training data has it: without silence before its first note, and transposed where asked. */
import {
  abcToScore,
  type Layout,
  MusicError,
  transposeScore,
  trimLeadingSilence,
  writeAbc,
} from '../../music/index.ts';

/** The finest grid there is, on which text of any other is exact. */
const GRID = 32;

/** Every text below is in the layout of the text it comes from. */
function layoutOf(abc: string): Layout {
  return /^\[V:/m.test(abc) || !/^V:/m.test(abc) ? 'interleaved' : 'voices';
}

export function withoutLeadingSilence(abc: string): string {
  return writeAbc(trimLeadingSilence(abcToScore(abc, GRID)), layoutOf(abc));
}

/** The tune so many semitones higher, its drums as they are; undefined where a pitch would leave MIDI's range. */
export function transposed(abc: string, semitones: number): string | undefined {
  try {
    return writeAbc(transposeScore(abcToScore(abc, GRID), semitones), layoutOf(abc));
  } catch (error) {
    if (error instanceof MusicError) return undefined;
    throw error;
  }
}
