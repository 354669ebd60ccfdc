/** Transposes ABC: read, transpose, write. */
import { type Layout, writeAbc } from './abc/index.ts';
import { abcToScore } from './abc-to-midi.ts';
import { transposeScore } from './analysis/index.ts';

/**
 * Writes a tune of the dialect in another key.
 *
 * @throws MusicError if there is no note, or a note would leave MIDI's 0–127
 */
export function transposeAbc(abc: string, semitones: number, layout?: Layout): string {
  return writeAbc(transposeScore(abcToScore(abc), semitones), layout);
}
