/**
 * Tests the converter on whole files: the fixtures of test/fixtures/midi, and the corpus in ../shared/corpus if it is
 * present. From the corpus it tests every sixteenth file, and all files of the folder edge-cases, which are faulty on
 * purpose.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { abcToMidi, checkAbc, MusicError, midiToAbc } from '../../lib/music/index.ts';
import { hearMidi, noteF1 } from './note-f1.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/midi', import.meta.url));
const CORPUS = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));
const filesIn = (folder: string) => readdirSync(folder).map((name) => join(folder, name));

/** Converts a file to ABC and back, expects a valid tune and the same text again, and returns the F1 over notes. */
function roundTrip(path: string): number {
  const bytes = readFileSync(path);
  const { abc } = midiToAbc(bytes);
  const played = abcToMidi(abc);
  expect(checkAbc(abc), path).toEqual([]);
  expect(midiToAbc(played).abc === abc, `${path} is the same text in the second round`).toBe(true);
  return noteF1(hearMidi(bytes), hearMidi(played));
}

describe('test/fixtures/midi', () => {
  const paths = filesIn(FIXTURES).filter((path) => path.endsWith('.mid'));

  test('has ten files below 10 kB', () => {
    expect(paths).toHaveLength(10);
    for (const path of paths) expect(readFileSync(path).length, path).toBeLessThan(10_000);
  });

  test.each(paths.map((path) => [path.slice(FIXTURES.length + 1), path]))(
    '%s keeps all its notes as a valid tune that converts to itself',
    (_, path) => expect(roundTrip(path)).toBe(1),
  );
});

describe.skipIf(!existsSync(CORPUS))('../shared/corpus (skipped where it is missing)', () => {
  test.each(['freedoom', 'openmsx', 'pop909', 'nottingham', 'format0-derived'])(
    '%s: files keep their notes as valid tunes that convert to themselves',
    (folder) => {
      const scores = filesIn(join(CORPUS, folder))
        .filter((_, i) => i % 16 === 0)
        .map(roundTrip);
      expect(scores.length).toBeGreaterThan(0);
      expect(scores.reduce((sum, f1) => sum + f1, 0) / scores.length).toBeGreaterThanOrEqual(0.998);
      expect(scores.filter((f1) => f1 > 0.99).length / scores.length).toBeGreaterThanOrEqual(0.97);
    },
  );

  test('each edge case gives a valid tune or a MusicError', () => {
    const refused: string[] = [];
    for (const path of filesIn(join(CORPUS, 'edge-cases'))) {
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
