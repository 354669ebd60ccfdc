/** Scores: round trips, transposition, fingerprints and shapes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  abcToMidi,
  abcToScore,
  fingerprint,
  MusicError,
  midiToAbc,
  midiToScore,
  shapeOf,
  transposeAbc,
  transposeScore,
  trimLeadingSilence,
  writeAbc,
} from '../../lib/music/index.ts';
import { seedMidis } from './fuzz.ts';
import { midi, notes } from './midi-bytes.ts';

const Q = 480;
const [rich] = seedMidis();
const richAbc = midiToAbc(rich).abc;
const melody = (offset: number, start = 0): [number, number, number][] =>
  [60, 64, 67, 65, 62, 64, 60, 59, 60, 67].map((pitch, i) => [pitch + offset, start + i * Q, Q]);

test('a tune that is converted to MIDI and back is the same text, in both layouts and on any grid', () => {
  for (const layout of ['interleaved', 'voices'] as const) {
    for (const grid of [4, 8, 16, 32]) {
      const { abc } = midiToAbc(rich, { layout, grid });
      expect(midiToAbc(abcToMidi(abc), { layout, grid }).abc).toBe(abc);
    }
  }
  expect(writeAbc(abcToScore(richAbc))).toBe(richAbc);
});

test('the example of docs/music.md is written in the dialect', () => {
  const page = readFileSync(new URL('../../docs/music.md', import.meta.url), 'utf8');
  const example = /```abc\n([^`]*)```/.exec(page)![1];
  expect(midiToAbc(abcToMidi(example)).abc).toBe(example);
});

describe('transposition', () => {
  const abc = midiToAbc(
    midi(
      notes(melody(0)),
      notes(
        [
          [36, 0, Q],
          [42, Q, Q],
        ],
        9,
      ),
    ),
  ).abc;

  test('moves notes and key, and leaves the drums', () => {
    const up = abcToScore(transposeAbc(abc, 3));
    const pitches = (voice: number, score = up) => score.voices[voice].notes.map((note) => note.pitch);
    expect(pitches(0)).toEqual(melody(3).map(([pitch]) => pitch));
    expect(pitches(1)).toEqual([36, 42]);
    expect(abc).toContain('K:C\n');
    expect(up.bars[0].fifths).toBe(-3);
  });

  test('up and down again gives the same text, and an octave keeps the key', () => {
    for (let semitones = -12; semitones <= 12; semitones++) {
      expect(transposeAbc(transposeAbc(abc, semitones), -semitones)).toBe(abc);
    }
    expect(abcToScore(transposeAbc(abc, 12)).bars[0].fifths).toBe(0);
  });

  test('never leaves the pitches of MIDI', () => {
    expect(() => transposeAbc(abc, 70)).toThrow(MusicError);
    expect(() => transposeAbc(abc, 70)).toThrow(/would leave MIDI's 0–127/);
    expect(() => transposeScore(abcToScore(abc), 0.5)).toThrow(/whole semitones/);
  });
});

describe('the fingerprint', () => {
  const print = (...tracks: number[][]) => fingerprint(midiToScore(midi(...tracks)).score);
  const original = print(notes(melody(0)), notes([[36, 0, Q]], 9));

  test('does not depend on key, instrument, drums, voice order and silence at the beginning', () => {
    expect(print(notes(melody(5)))).toBe(original);
    expect(print([0, 0xc2, 70, ...notes(melody(-7), 2)])).toBe(original);
    expect(print(notes(melody(0, 12 * Q)))).toBe(original);
    const bass = notes(
      [
        [36, 0, 4 * Q],
        [43, 4 * Q, 4 * Q],
      ],
      1,
    );
    expect(print(notes(melody(0)), bass)).toBe(print(bass, notes(melody(0))));
  });

  test('differs for other music', () => {
    expect(print(notes(melody(0).with(3, [66, 3 * Q, Q])))).not.toBe(original);
    expect(print(notes(melody(0).map(([pitch, start, duration]) => [pitch, 2 * start, duration])))).not.toBe(original);
    expect(print(notes(melody(0), 9))).not.toBe(original);
    expect(original).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('the shape', () => {
  const score = abcToScore(
    'X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\nV:1\nV:2\n%%MIDI channel 10\n[V:1]Z|[V:2]Z|\n[V:1]C4|[V:2]C,,4|\n[V:1]Z|[V:2]Z|\n[V:1]Z|[V:2]Z|\n[V:1][CE]4-|[V:2]Z|\n[V:1][CE]2z2|[V:2]Z|\n',
  );

  test('counts voices, bars, notes and silence', () => {
    expect(shapeOf(score)).toEqual({
      voices: 2,
      drumVoices: 1,
      bars: 6,
      notes: 4,
      emptyBars: 3,
      leadingEmptyBars: 1,
      longestSilence: 2,
      beats: 24,
    });
  });

  test('only the silence before the first note is removed', () => {
    const trimmed = trimLeadingSilence(score);
    expect(shapeOf(trimmed)).toMatchObject({ bars: 5, notes: 4, leadingEmptyBars: 0, beats: 20 });
    expect(trimmed.voices[0].notes.map((note) => note.start)).toEqual([0, 2880, 2880]);
  });
});
