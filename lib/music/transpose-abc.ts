/** ABC → ABC in another key: read, transpose, write. */

import { type Layout, writeAbc } from './abc/index.ts';
import { abcToScore } from './abc-to-midi.ts';
import { transposeScore } from './analysis/index.ts';

/** A tune of our dialect in another key, in canonical text. Throws MusicError as `transposeScore` and `abcToScore` do. */
export function transposeAbc(abc: string, semitones: number, layout?: Layout): string {
  return writeAbc(transposeScore(abcToScore(abc), semitones), layout);
}
