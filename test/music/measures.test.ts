/** MusPy's measures on music small enough to compute by hand. */
import midiPackage from '@tonejs/midi';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/compose.ts';
import { measure, measureNotes, type StepNote } from '../../lib/music/analysis/measures.ts';

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
