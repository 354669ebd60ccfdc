/** MusPy's measures on music small enough to compute by hand. */
import midiPackage from '@tonejs/midi';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/compose.ts';
import { measure, measureNotes, type StepNote } from '../../lib/music/analysis/measures.ts';
import { barLengths, CopyIndex, overlappingArea, parseAbc } from '../../lib/music/index.ts';

const BEAT = 24;

/** Makes notes of one beat each, one after another, from beat `from` on. */
const line = (pitches: readonly number[], from = 0, drum = false): StepNote[] =>
  pitches.map((pitch, i) => ({ start: (from + i) * BEAT, duration: BEAT, pitch, drum }));

const C_MAJOR = [60, 62, 64, 65, 67, 69, 71];

describe('pitch', () => {
  test('range is highest minus lowest pitch, without drums', () => {
    expect(measureNotes(line([60, 72, 55])).pitch_range).toBe(17);
    expect(measureNotes([...line([60, 72]), ...line([35, 99], 0, true)]).pitch_range).toBe(12);
    expect(measureNotes([]).pitch_range).toBe(0);
  });

  test('entropy of pitch classes is in bits, and octaves are one class', () => {
    expect(measureNotes(line([60, 72, 48])).pitch_class_entropy).toBe(0);
    expect(measureNotes(line([60, 62, 64, 65])).pitch_class_entropy).toBeCloseTo(2, 12);
    // Halves of C, quarters of D and E: ½·1 + ¼·2 + ¼·2
    expect(measureNotes(line([60, 60, 62, 64])).pitch_class_entropy).toBeCloseTo(1.5, 12);
    expect(measureNotes(line([60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71])).pitch_class_entropy).toBeCloseTo(
      Math.log2(12),
      12,
    );
  });

  test('scale consistency is the share of notes in the best-fitting scale', () => {
    expect(measureNotes(line(C_MAJOR)).scale_consistency).toBe(1);
    // Seven notes of C major and one F sharp; G major has seven of these eight too.
    expect(measureNotes(line([...C_MAJOR, 66])).scale_consistency).toBe(7 / 8);
    // Harmonic minor lies in no natural scale: one of its seven notes is out.
    expect(measureNotes(line([57, 59, 60, 62, 64, 65, 68])).scale_consistency).toBe(6 / 7);
  });
});

describe('time', () => {
  test('polyphony is the mean number of pitches over the steps with sound', () => {
    expect(measureNotes(line([60, 62])).polyphony).toBe(1);
    // Two beats of C under one beat of E: 3 beats of notes in 2 beats with sound. The silence after them and the drums
    // do not count.
    const chord = [
      { start: 0, duration: 2 * BEAT, pitch: 60, drum: false },
      { start: 0, duration: BEAT, pitch: 64, drum: false },
      ...line([67], 5),
      ...line([36, 38, 36], 0, true),
    ];
    expect(measureNotes(chord).polyphony).toBe(4 / 3);
    // Two simultaneous notes of the same pitch are one pitch, as on a piano.
    expect(measureNotes([...line([60]), ...line([60])]).polyphony).toBe(1);
  });

  test('groove consistency compares the onsets of neighbouring bars', () => {
    // Two bars of four quarters, then an empty bar that begins at the end of the last note: 0 + 4 differences over 2 ×
    // 96 steps.
    expect(measureNotes(line([60, 60, 60, 60, 60, 60, 60, 60])).groove_consistency).toBeCloseTo(1 - 4 / 192, 12);
    // The second bar lacks the fourth quarter, and the empty bar lacks the three of the second. Pitches do not matter.
    const half = [
      ...line([60, 62, 64, 65]),
      ...line([72, 74], 4),
      { start: 6 * BEAT, duration: 48, pitch: 60, drum: false },
    ];
    expect(measureNotes(half).groove_consistency).toBeCloseTo(1 - (1 + 3) / 192, 12);
    // In 3/4 the bar lines lie between other quarters.
    expect(measureNotes(line([60, 60, 60, 60, 60]), 72).groove_consistency).toBeCloseTo(1 - 1 / 72, 12);
    expect(measureNotes(line([60])).groove_consistency).toBeNull();
  });

  test('a note fills the beats in which it sounds, and the beat that begins when it ends', () => {
    // Beats 0–4 of sound and its end, 5–7 empty, 8 and 9 filled: 10 beats.
    expect(measureNotes([...line([60, 60, 60, 60]), ...line([60], 8)]).empty_beat_rate).toBeCloseTo(3 / 10, 12);
    expect(measureNotes(line([60, 60])).empty_beat_rate).toBe(0);
    expect(measureNotes([...line([60]), ...line([36], 6, true)]).empty_beat_rate).toBeCloseTo(4 / 8, 12);
  });
});

test('measures without data are null', () => {
  expect(measureNotes([])).toEqual({
    notes: 0,
    pitch_range: 0,
    pitch_class_entropy: null,
    scale_consistency: null,
    polyphony: null,
    groove_consistency: null,
    empty_beat_rate: null,
  });
  const drums = measureNotes(line([36, 38], 0, true));
  expect(drums).toMatchObject({ notes: 2, polyphony: null, pitch_class_entropy: null, empty_beat_rate: 0 });
});

test('a MIDI file is measured under its metre, independent of its ticks per beat', () => {
  const measured = [96, 480].map((ppq) => {
    const midi = new midiPackage.Midi();
    midi.header.fromJSON({
      name: '',
      ppq,
      meta: [],
      tempos: [],
      keySignatures: [],
      timeSignatures: [{ ticks: 0, timeSignature: [3, 4] }],
    });
    const melody = midi.addTrack();
    for (let i = 0; i < 5; i++) melody.addNote({ midi: 60 + i, ticks: i * ppq, durationTicks: ppq });
    const drums = midi.addTrack();
    drums.channel = 9;
    drums.addNote({ midi: 36, ticks: 0, durationTicks: ppq });
    return measure(midi.toArray());
  });
  const notes = [...line([60, 61, 62, 63, 64]), ...line([36], 0, true)];
  expect(measured[0]).toEqual(measureNotes(notes, 3 * BEAT));
  expect(measured[1]).toEqual(measured[0]);
});

test('composed pieces are tonal, with a groove and few empty beats', () => {
  for (let seed = 0; seed < 20; seed++) {
    const measures = measure(composePiece(seed));
    expect(measures.scale_consistency).toBeGreaterThan(0.85);
    expect(measures.pitch_class_entropy).toBeGreaterThan(2);
    expect(measures.groove_consistency).toBeGreaterThan(0.9);
    expect(measures.empty_beat_rate).toBeLessThan(0.2);
  }
});

describe('bars of the right length', () => {
  test('are counted in all voices and layers, whatever else is wrong', () => {
    const header = 'X:1\nM:3/4\nL:1/4\nK:C\nV:1\nV:2\n';
    expect(barLengths(parseAbc(`${header}[V:1]CDE|[V:2]C3|\n[V:1]CD|[V:2]C4|\n[V:1]CDE&C2|[V:2]C?|\n`))).toEqual({
      bars: 6,
      right: 2,
    });
    expect(barLengths(parseAbc('X:1\nK:C\n'))).toEqual({ bars: 0, right: 0 });
  });
});

describe('copies', () => {
  const head = 'X:1\nM:4/4\nL:1/4\nQ:1/4=100\nK:C\n';
  const two = `${head}V:1\nV:2\n`;
  const index = new CopyIndex();
  index.add(`${two}[V:1]CDEF|[V:2]C,4|\n[V:1]GABc|[V:2]Z|\n[V:1]cBAG|[V:2]G,4|\n`);

  test('are bars, and runs of bars of one voice, in any layout; tempo, programs and silent bars do not count', () => {
    const found = index.compare(`${head}[Q:1/4=90]GABc|cBAG|Z|[I:MIDI program 3]CDEF|\nBBBB|`);
    expect(found).toMatchObject({ bars: 4, barsFound: 3, longestCopy: 2 });
    expect(index.compare(`${two}V:1\nCDEF|CCCC|\nV:2\nC,4|Z|G,4|\n`)).toMatchObject({
      bars: 4,
      barsFound: 3,
      longestCopy: 2,
    });
  });

  test('are sequences of eight notes, chords, rests and bar lines', () => {
    // CDEF|GABc| has 10 pieces and 3 n-grams, of which the last one has another note.
    expect(index.compare(`${head}CDEF|GABd|\n`)).toMatchObject({ ngrams: 3, ngramsFound: 1 });
    expect(index.compare(`${head}CDEF|GABc|\n`)).toMatchObject({ ngrams: 3, ngramsFound: 3 });
    expect(index.compare(`${head}[CE]2-[CE]z/|CDEF|\n`)).toMatchObject({ ngrams: 2, ngramsFound: 0 });
  });

  test('do not run over the end of a tune, and leave out the bars that were given', () => {
    const both = new CopyIndex();
    both.add(`${head}CDEF|\n`);
    both.add(`${head}GABc|\n`);
    expect(both.compare(`${head}CDEF|GABc|\n`)).toMatchObject({ bars: 2, barsFound: 2, longestCopy: 1 });
    expect(both.compare(`${head}CDEF|GABd|\n`, 1)).toMatchObject({ bars: 1, barsFound: 0, longestCopy: 0 });
  });
});

describe('the overlapping area of two sets of values', () => {
  test('is 1 for equal sets, 0 for distant ones, and undefined for few values', () => {
    const values = [1, 2, 3, 4, 5, 6];
    expect(overlappingArea(values, values)).toBeCloseTo(1, 2);
    expect(
      overlappingArea(
        values,
        values.map((value) => value + 100),
      ),
    ).toBeLessThan(0.01);
    expect(overlappingArea([3, 3, 3, 3, 3], [3, 3, 3, 3, 3])).toBe(1);
    expect(overlappingArea(values, [1, 2, 3, 4])).toBeUndefined();
  });

  test('of two normal distributions is 2·Φ(−d/2) for a distance of d standard deviations, up to the kernels', () => {
    const quantiles = Array.from({ length: 400 }, (_, i) => normalQuantile((i + 0.5) / 400));
    const shifted = quantiles.map((value) => value + 2);
    expect(overlappingArea(quantiles, shifted)).toBeCloseTo(2 * 0.1587, 1);
  });
});

/** By bisection of the error function's series. */
function normalQuantile(share: number): number {
  let [low, high] = [-6, 6];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return low;
}

function normalShare(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 200; k++) sum += term *= (x * x) / (2 * k + 1);
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}
