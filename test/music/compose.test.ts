/**
 * The synthetic data set. Its pieces are valid MIDI files, the same on every machine, on a grid, with sections that
 * return.
 */
import { createHash } from 'node:crypto';
import midiPackage from '@tonejs/midi';
import { describe, expect, test } from 'vitest';
import { compose, composePiece, styleNames } from '../../lib/compose/compose.ts';
import type { Composition } from '../../lib/compose/composition.ts';
import { degreePitch, isChordTone, keyOfSignature, relativeMajor } from '../../lib/compose/harmony.ts';
import { composeMelody } from '../../lib/compose/melody.ts';
import { SeededRandom } from '../../lib/compose/random.ts';
import { DRUMS, METRES, type MetreName } from '../../lib/compose/style.ts';
import { STYLES } from '../../lib/compose/styles.ts';

const pieces: Composition[] = Array.from({ length: 200 }, (_, seed) => compose(seed));

describe('a piece', () => {
  test('has the same bytes for the same seed on every machine', () => {
    const digest = createHash('sha256');
    for (let seed = 0; seed < 20; seed++) digest.update(composePiece(seed));
    // A new hash here changes every synthetic data set, and every figure measured on one.
    expect(digest.digest('hex')).toBe('bc736c3ea9778e46fa88c1da5388fcc26bfc9df430fd96c40c107704754e51be');
    expect(composePiece('7')).toEqual(composePiece(7));
    expect(composePiece(8)).not.toEqual(composePiece(7));
  });

  test('is a MIDI file that holds exactly the notes of its piece, its tempo, metre and key', () => {
    for (let seed = 0; seed < 24; seed++) {
      const piece = pieces[seed];
      const { header, tracks } = new midiPackage.Midi(composePiece(seed));
      expect(tracks.map((track) => track.notes.map((note) => [note.ticks, note.durationTicks, note.midi]))).toEqual(
        piece.voices.map(({ notes }) => notes.map((note) => [note.start * 120, note.duration * 120, note.pitch])),
      );
      expect(tracks.map((track) => track.instrument.number)).toEqual(piece.voices.map((voice) => voice.program));
      expect(tracks.map((track) => track.channel === 9)).toEqual(piece.voices.map((voice) => voice.drums));
      expect(header.timeSignatures[0].timeSignature).toEqual([piece.metre.numerator, piece.metre.denominator]);
      expect(header.tempos[0].bpm).toBeCloseTo((piece.tempo * piece.metre.beat) / 4, 2);
      const majorKeys = ['C', 'Db', 'D', 'Eb', 'E', 'F', 'Gb', 'G', 'Ab', 'A', 'Bb', 'B'];
      expect(header.keySignatures.map(({ key }) => key)).toEqual(
        piece.keys.map(({ key }) => majorKeys[relativeMajor(key)]),
      );
    }
  });

  test('has 2 to 5 voices and 16 to 41 bars, and no note leaves its bars', () => {
    for (const piece of pieces) {
      expect(piece.voices.length).toBeGreaterThanOrEqual(2);
      expect(piece.voices.length).toBeLessThanOrEqual(5);
      expect(piece.bars).toBeGreaterThanOrEqual(16);
      expect(piece.bars).toBeLessThanOrEqual(41);
      const end = piece.bars * piece.metre.bar;
      const wrong = piece.voices
        .flatMap((voice) => voice.notes)
        .filter(
          ({ start, duration }) => start % 1 !== 0 || duration % 1 !== 0 || duration <= 0 || start + duration > end,
        );
      expect(wrong).toEqual([]);
    }
  });

  test('has voices in their registers: melody over bass', () => {
    for (const piece of pieces) {
      for (const { role, notes } of piece.voices) {
        const pitches = notes.map((note) => note.pitch);
        if (role === 'melody') expect([Math.min(...pitches) >= 53, Math.max(...pitches) <= 90]).toEqual([true, true]);
        if (role === 'bass') expect([Math.min(...pitches) >= 24, Math.max(...pitches) <= 55]).toEqual([true, true]);
      }
    }
  });

  test('has no voice in which the same note sounds twice at once', () => {
    for (const piece of pieces) {
      for (const { notes } of piece.voices) {
        const soundsUntil = new Map<number, number>();
        const overlaps = notes.filter(({ pitch, start, duration }) => {
          const before = soundsUntil.get(pitch) ?? 0;
          soundsUntil.set(pitch, start + duration);
          return before > start;
        });
        expect(overlaps).toEqual([]);
      }
    }
  });
});

describe('a data set of pieces', () => {
  test('has every style, many metres, keys and forms', () => {
    expect(new Set(pieces.map((piece) => piece.style)).size).toBe(styleNames.length);
    expect(new Set(pieces.map((piece) => `${piece.metre.numerator}/${piece.metre.denominator}`)).size).toBe(6);
    expect(new Set(pieces.map((piece) => piece.keys[0].key.tonic)).size).toBeGreaterThan(9);
    expect(new Set(pieces.map((piece) => piece.form)).size).toBeGreaterThan(6);
  });

  test('of one style has that style only; an unknown style is an error that names it', () => {
    for (const style of styleNames) expect(compose(3, { style }).style).toBe(style);
    expect(() => composePiece(3, { style: 'polka' })).toThrow(/no style "polka".*waltz/);
  });
});

describe('structure', () => {
  /** A voice's notes in a section, from its start, without its last bar, because endings differ. */
  const sectionNotes = (piece: Composition, section: Composition['sections'][number], role: string) => {
    const from = section.bar * piece.metre.bar;
    const to = from + (section.bars - 1) * piece.metre.bar;
    const voice = piece.voices.find((candidate) => candidate.role === role);
    return voice?.notes
      .filter((note) => note.start >= from && note.start < to)
      .map(({ start, duration, pitch }) => [start - from, duration, pitch]);
  };

  test('a returning section has the same bass, and the same melody or an ornamented one', () => {
    let exact = 0;
    let ornamented = 0;
    for (const piece of pieces.filter(({ keys }) => keys.length === 1)) {
      const first = new Map<string, Composition['sections'][number]>();
      for (const section of piece.sections.filter(({ bars }) => bars > 1)) {
        const before = first.get(section.letter);
        if (!before) {
          first.set(section.letter, section);
          continue;
        }
        expect(sectionNotes(piece, section, 'bass')).toEqual(sectionNotes(piece, before, 'bass'));
        const now = sectionNotes(piece, section, 'melody')!;
        const then = sectionNotes(piece, before, 'melody')!;
        if (now.length === then.length) {
          expect(now).toEqual(then);
          exact++;
        } else {
          const onsets = new Set(now.map(([start, , pitch]) => `${start} ${pitch}`));
          for (const [start, , pitch] of then) expect(onsets).toContain(`${start} ${pitch}`);
          ornamented++;
        }
      }
    }
    expect(exact).toBeGreaterThan(3 * ornamented);
    expect(ornamented).toBeGreaterThan(10);
  });

  test('a raised chorus is a tone higher, and its key changes', () => {
    const raised = pieces.filter(({ keys }) => keys.length === 2);
    expect(raised.length).toBeGreaterThan(3);
    for (const { keys } of raised) expect((keys[1].key.tonic - keys[0].key.tonic + 12) % 12).toBe(2);
  });

  test('motifs return within a section, so it has fewer rhythms than bars', () => {
    for (const piece of pieces) {
      const melody = piece.voices.find((voice) => voice.role === 'melody')!;
      const section = piece.sections.find(({ letter }) => letter === 'A')!;
      const rhythms = Array.from({ length: section.bars }, (_, bar) => {
        const from = (section.bar + bar) * piece.metre.bar;
        const notes = melody.notes.filter((note) => note.start >= from && note.start < from + piece.metre.bar);
        return notes.map((note) => `${note.start - from}:${note.duration}`).join(' ');
      });
      expect(new Set(rhythms).size).toBeLessThan(section.bars);
    }
  });

  test('notes on beats are chord tones; an open phrase ends on degree 1 and a closed one on the tonic', () => {
    const key = { tonic: 2, mode: 'major' } as const;
    const chord = (root: number) => ({ root, size: 3, alter: {} }) as const;
    const chords = [0, 5, 1, 4, 0, 3, 4, 0].map(chord);
    for (let seed = 0; seed < 50; seed++) {
      const { notes } = composeMelody(new SeededRandom(seed), {
        key,
        metre: METRES['4/4'],
        density: 'running',
        chords,
        chordsPerBar: 1,
        bars: 8,
        targets: [1, 0],
      });
      const inner = notes.filter((note, i) => note.start % 4 === 0 && i !== notes.length - 1);
      for (const note of inner) expect(isChordTone(note.degree, note.chord)).toBe(true);
      const last = (bar: number) => notes.filter((note) => Math.floor(note.start / 16) === bar).at(-1)!;
      expect((((last(3).degree - 1) % 7) + 7) % 7).toBe(0);
      expect(((last(7).degree % 7) + 7) % 7).toBe(0);
    }
  });

  test('drums fill the last bar of a section', () => {
    const piece = pieces.find(({ voices, sections }) => voices.some((voice) => voice.drums) && sections.length > 3)!;
    const drums = piece.voices.find((voice) => voice.drums)!;
    const bar = (index: number) =>
      drums.notes
        .filter((note) => Math.floor(note.start / piece.metre.bar) === index && note.pitch !== DRUMS.crash)
        .map((note) => [note.start % piece.metre.bar, note.pitch]);
    const section = piece.sections[1];
    const last = section.bar + section.bars - 1;
    expect(bar(last - 1)).toEqual(bar(last - 2));
    expect(bar(last)).not.toEqual(bar(last - 1));
  });
});

describe('tables', () => {
  test('every pattern divides its bar into whole sixteenths and has known marks only', () => {
    for (const style of STYLES) {
      for (const [name, patterns] of Object.entries(style.patterns)) {
        const { bar } = METRES[name as MetreName];
        const drums = patterns.drums.flatMap((beat) => [...Object.values(beat.groove), ...Object.values(beat.fill)]);
        for (const [texts, marks] of [
          [patterns.chords, /^[x0-3.-]+$/],
          [patterns.bass, /^[R3578la.-]+$/],
          [drums, /^[x.]+$/],
        ] as const) {
          for (const text of texts) {
            expect([style.name, text, bar % text.length]).toEqual([style.name, text, 0]);
            expect(text).toMatch(marks);
          }
        }
      }
    }
  });

  test('a mode has the signature of its relative major', () => {
    expect(relativeMajor({ tonic: 9, mode: 'minor' })).toBe(0);
    expect(relativeMajor({ tonic: 2, mode: 'dorian' })).toBe(0);
    expect(relativeMajor({ tonic: 7, mode: 'mixolydian' })).toBe(0);
    expect(keyOfSignature(7, 'minor')).toEqual({ tonic: 4, mode: 'minor' });
    // D dorian, up from the D above middle C: D E F G A B C D
    const dorian = { tonic: 2, mode: 'dorian' } as const;
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((degree) => degreePitch(dorian, degree))).toEqual([
      62, 64, 65, 67, 69, 71, 72, 74,
    ]);
  });
});
