/** The converter on real music, where ../shared/corpus is there: every sixteenth file, and all of the odd and broken ones. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hearMidi, noteF1 } from '../../bench/music/note-f1.ts';
import { abcToMidi, checkAbc, MusicError, midiToAbc } from '../../lib/music/index.ts';

const CORPUS = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));
const files = (folder: string) => readdirSync(join(CORPUS, folder)).map((name) => join(CORPUS, folder, name));

describe.skipIf(!existsSync(CORPUS))('../shared/corpus (skipped where it is missing)', () => {
  test.each(['freedoom', 'openmsx', 'pop909', 'nottingham', 'format0-derived'])(
    '%s keeps its notes, is valid, and is a fixed point',
    (folder) => {
      const scores = files(folder)
        .filter((_, i) => i % 16 === 0)
        .map((path) => {
          const bytes = readFileSync(path);
          const { abc } = midiToAbc(bytes);
          const played = abcToMidi(abc);
          expect(checkAbc(abc), path).toEqual([]);
          expect(midiToAbc(played).abc === abc, `${path} is the same text in the second round`).toBe(true);
          return noteF1(hearMidi(bytes), hearMidi(played));
        });
      expect(scores.length).toBeGreaterThan(0);
      expect(scores.reduce((sum, f1) => sum + f1, 0) / scores.length).toBeGreaterThanOrEqual(0.998);
      expect(scores.filter((f1) => f1 > 0.99).length / scores.length).toBeGreaterThanOrEqual(0.97);
    },
  );

  test('each of the edge cases gives a valid tune or a reason', () => {
    const refused: string[] = [];
    for (const path of files('edge-cases')) {
      try {
        expect(checkAbc(midiToAbc(readFileSync(path)).abc), path).toEqual([]);
      } catch (error) {
        expect(error, path).toBeInstanceOf(MusicError);
        refused.push((error as Error).message);
      }
    }
    expect([...new Set(refused)].sort()).toEqual([
      'the file is empty',
      'there is no note in it',
      'this is not a MIDI file: it has no MThd header',
    ]);
  });
});
