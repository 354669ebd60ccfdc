/** Writing MIDI files as ABC: the dialect, with metre, tempo and key. */
import { describe, expect, test } from 'vitest';
import { abcToMidi, checkAbc, midiToAbc } from '../../lib/music/index.ts';
import { random } from './fuzz.ts';
import { chunk, END_OF_TRACK, header, meta, midi, notes } from './midi-bytes.ts';

const Q = 480;
/** Four quarters from middle C: the smallest tune. */
const SCALE = notes([
  [60, 0, Q],
  [62, Q, Q],
  [64, 2 * Q, Q],
  [65, 3 * Q, Q],
]);
const abcOf = (...tracks: number[][]) => midiToAbc(midi(...tracks)).abc;
/** Returns the lines after the K: field. */
const musicOf = (...tracks: number[][]) => abcOf(...tracks).split(/\nK:.*\n/)[1];

describe('the dialect', () => {
  test('one voice has a header of X, M, L, Q and K, and four bars a line', () => {
    expect(abcOf(SCALE)).toBe('X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\nCDEF|\n');
    const five = Array.from({ length: 5 }, (_, bar) => [60, bar * 4 * Q, 4 * Q] as [number, number, number]);
    expect(musicOf(notes(five))).toBe('C4|C4|C4|C4|\nC4|\n');
  });

  test('several voices are interleaved, a bar of each on a line, after their programs and drum channel; a silent bar is Z', () => {
    const violin = [
      0,
      0xc0,
      40,
      ...notes([
        [72, 0, 4 * Q],
        [74, 4 * Q, 4 * Q],
      ]),
    ];
    const bass = [0, 0xc1, 33, ...notes([[36, 0, 4 * Q]], 1)];
    const drums = notes(
      [
        [36, 0, 2 * Q],
        [38, 2 * Q, 2 * Q],
      ],
      9,
    );
    expect(musicOf(violin, bass, drums)).toBe(
      'V:1\n%%MIDI program 40\nV:2\n%%MIDI program 33\nV:3\n%%MIDI channel 10\n' +
        '[V:1]c4|[V:2]C,,4|[V:3]C,,2D,,2|\n' +
        '[V:1]d4|[V:2]Z|[V:3]Z|\n',
    );
  });

  test('with layout voices, one voice follows another', () => {
    const abc = midiToAbc(midi(SCALE, notes([[48, 0, 4 * Q]], 1)), { layout: 'voices' }).abc;
    expect(abc).toMatch(/\nV:1\nCDEF\|\nV:2\nC,4\|\n$/);
  });

  test('notes of one onset and duration are a chord; other overlaps are layers joined by &', () => {
    expect(
      musicOf(
        notes([
          [60, 0, 4 * Q],
          [64, 0, 4 * Q],
          [67, 0, 4 * Q],
        ]),
      ),
    ).toBe('[CEG]4|\n');
    expect(
      musicOf(
        notes([
          [60, 0, 4 * Q],
          [72, 0, Q],
          [74, Q, Q],
          [76, 2 * Q, Q],
          [77, 3 * Q, Q],
        ]),
      ),
    ).toBe('C4&cdef|\n');
  });

  test('a note over a bar line is tied, and so is a duration that no single note has', () => {
    expect(musicOf(notes([[60, 3 * Q, 2 * Q]]))).toBe('z3C-|Cz3|\n');
    expect(
      musicOf(
        notes([
          [60, 0, 5 * (Q / 4)],
          [62, 5 * (Q / 4), 11 * (Q / 4)],
        ]),
      ),
    ).toBe('C4-CD8-D3|\n');
  });

  test('the text does not depend on the order, channels, ticks and number of tracks', () => {
    const high = notes(
      [
        [72, 0, Q],
        [74, Q, Q],
      ],
      0,
    );
    const low = notes([[48, 0, 2 * Q]], 1);
    const finer = [
      ...header(1, 2, 960),
      ...chunk('MTrk', [...notes([[48, 0, 4 * Q]], 7), ...END_OF_TRACK]),
      ...chunk('MTrk', [
        ...notes(
          [
            [72, 0, 2 * Q],
            [74, 2 * Q, 2 * Q],
          ],
          3,
        ),
        ...END_OF_TRACK,
      ]),
    ];
    expect(abcOf(low, high)).toBe(abcOf(high, low));
    expect(midiToAbc(Uint8Array.from(finer)).abc).toBe(abcOf(high, low));
    expect(abcOf(notes([[36, 0, Q]], 9), notes([[38, Q, Q]], 9))).toBe(
      abcOf(
        notes(
          [
            [36, 0, Q],
            [38, Q, Q],
          ],
          9,
        ),
      ),
    );
  });

  test('titles, lyrics, markers and dynamics are dropped', () => {
    const text = [
      ...meta(0, 3, [...Buffer.from('A title')]),
      ...meta(0, 5, [...Buffer.from('la')]),
      ...meta(0, 6, [...Buffer.from('B')]),
    ];
    expect(abcOf([...text, ...SCALE])).toBe(abcOf(SCALE));
  });

  test('the grid is 16 steps per beat, or another power of two', () => {
    const fine = midi(
      notes([
        [60, 0, 30],
        [62, 30, 450],
        [64, Q, 3 * Q],
      ]),
    );
    expect(midiToAbc(fine).abc).toContain('L:1/64\n');
    expect(midiToAbc(fine, { grid: 4 }).abc).not.toContain('L:1/64');
    expect(() => midiToAbc(fine, { grid: 12 })).toThrow(/grid of 12 .* must be one of 1, 2, 4, 8, 16, 32/);
  });

  test('a duration between two steps is rounded to end at the next onset, or to need no tie', () => {
    const played = notes([
      [60, 0, Q - 25],
      [62, Q, Q - 10],
      [64, 2 * Q, Q - 29],
      [65, 3 * Q, Q - 1],
    ]);
    expect(musicOf(played)).toBe('CDEF|\n');
  });

  test('of two steps, a note ends at the one that does not cross the bar line', () => {
    // 28 ticks are nearly a step of 30; the next note begins in the following bar.
    const late: [number, number, number][] = [
      [60, 0, 4 * Q + 28],
      [62, 4 * Q + 30, Q],
    ];
    expect(musicOf(notes(late))).toMatch(/^C32\|z\//);
    expect(musicOf(notes([[60, 0, 4 * Q + 30]]))).toMatch(/^C\d*-\|C/);
  });

  test('a note of duration 0 lasts one step', () => {
    expect(
      midiToAbc(
        midi(
          notes([
            [60, 0, 0],
            [62, Q, 3 * Q],
          ]),
        ),
      ).notes,
    ).toBe(2);
    expect(musicOf(notes([[60, 0, 0]]))).toMatch(/^C/);
  });

  test('a program change within a voice is written at its position', () => {
    const track = [...notes([[60, 0, 2 * Q]]), 0, 0xc0, 9, ...notes([[60, 0, 2 * Q]])];
    expect(musicOf(track)).toBe('C2[I:MIDI program 9]C2|\n');
  });
});

describe('tuplets', () => {
  /** A scale from middle C, given by the ticks of its onsets and of the end. */
  const SCALE_PITCHES = [60, 62, 64, 65, 67, 69, 71, 72];
  const run = (...ticks: number[]) =>
    notes(
      ticks.slice(0, -1).map((tick, i) => [SCALE_PITCHES[i], tick, ticks[i + 1] - tick] as [number, number, number]),
    );
  /** The music, with its unit, and the notes that are heard again. */
  const written = (track: number[], grid = 16) => {
    const { abc } = midiToAbc(midi([...meta(0, 0x59, [0, 0]), ...track]), { grid });
    expect(checkAbc(abc)).toEqual([]);
    expect(midiToAbc(abcToMidi(abc), { grid }).abc).toBe(abc);
    const [, unit, music] = /L:1\/(\d+)\n[\s\S]*?\nK:.*\n([\s\S]*)/.exec(abc)!;
    return `${unit} ${music.trimEnd()}`;
  };

  test.each<[string, number[], string]>([
    ['eighths', run(0, 160, 320, 480), '8 (3CDEz6|'],
    ['sixteenths', run(0, 80, 160, 240, 320, 400, 480), '16 (3CDE(3FGAz12|'],
    ['quarters over two beats', run(0, 320, 640, 960), '4 (3CDEz2|'],
    ['halves over four beats', run(0, 640, 1280, 1920), '4 (3C2D2E2|'],
    ['swung eighths', run(0, 320, 480, 800, 960), '4 (3:2:2CD/(3:2:2EF/z2|'],
    ['a triplet in half a beat', run(0, 240, 320, 400, 480), '16 C2(3DEFz12|'],
    ['a note that is held into a triplet', run(120, 640, 800, 960), '8 z/C3/-(3CDEz4|'],
    ['a plain note of the triplet over a beat', run(0, 640, 800, 960), '8 (3C4DEz4|'],
    ['a note that is held out of a triplet', run(0, 160, 320, 720), '8 (3CDE-Ez4z|'],
    [
      'a rest in a triplet',
      notes([
        [60, 160, 160],
        [62, 320, 640],
      ]),
      '8 (3zCD4z4|',
    ],
    ['quintuplets', run(0, 96, 192, 288, 384, 480), '16 (5:4:5CDEFGz12|'],
    ['times that are rounded to ticks', run(0, 161, 320, 481, 640, 799, 960), '8 (3CDE(3FGAz4|'],
    ['triplets beside sixteenths', run(0, 160, 320, 480, 600, 720, 840, 960), '16 (3C2D2E2FGABz8|'],
  ])('%s', (_, track, expected) => expect(written(track)).toBe(expected));

  test('a beat of both kinds in one voice keeps the sixteenths, and two voices have their own', () => {
    const triplet = run(0, 160, 320, 480);
    const sixteenths = notes(
      [0, 120, 240, 360].map((tick) => [48, tick, 120] as [number, number, number]),
      1,
    );
    const { abc } = midiToAbc(midi(triplet, sixteenths));
    expect(abc).toMatch(/L:1\/8\n[\s\S]*\[V:1\]\(3CDEz6\|\[V:2\]C,\/C,\/C,\/C,\/z6\|/);
  });

  test('a voice that was played freely has none', () => {
    const next = random(3);
    const free = Array.from({ length: 60 }, (_, i) => [60 + (i % 12), i * 240 + Math.floor(90 * next()), 200]);
    const { abc, performance } = midiToAbc(midi(notes(free as [number, number, number][])));
    expect(abc).not.toMatch(/\(\d/);
    expect(performance).toBe(true);
    expect(midiToAbc(midi(run(0, 160, 320, 480))).performance).toBe(false);
  });

  test('they can be switched off, and coarse grids have those that fit a beat', () => {
    expect(midiToAbc(midi(run(0, 160, 320, 480)), { tuplets: false }).abc).not.toContain('(');
    expect(written(run(0, 160, 320, 480), 4)).toBe('8 (3CDEz6|');
    expect(midiToAbc(midi(run(0, 160, 320, 480)), { grid: 2 }).abc).not.toContain('(');
  });
});

describe('metre, tempo and key', () => {
  test('every bar is as long as its metre, including the last', () => {
    const abc = abcOf([...meta(0, 0x58, [3, 2, 24, 8]), ...notes([[60, 0, 4 * Q]])]);
    expect(abc).toContain('M:3/4\n');
    expect(abc).toMatch(/C3-\|Cz2\|\n$/);
  });

  test('a metre change within a bar ends that bar, whose metre becomes its actual length', () => {
    const music = musicOf(
      [...meta(0, 0x58, [4, 2, 24, 8]), ...meta(Q, 0x58, [3, 2, 24, 8])],
      notes([
        [60, 0, Q],
        [62, Q, 3 * Q],
      ]),
    );
    expect(
      abcOf(
        [...meta(0, 0x58, [4, 2, 24, 8]), ...meta(Q, 0x58, [3, 2, 24, 8])],
        notes([
          [60, 0, Q],
          [62, Q, 3 * Q],
        ]),
      ),
    ).toContain('M:1/4');
    expect(music).toBe('C|[M:3/4]D3|\n');
  });

  test('a bar with several tempos gets the one that keeps its length in seconds', () => {
    // Half a bar is at 120 beats per minute and half at 60, so the whole bar gets 80.
    const tempo = [...meta(0, 0x51, [7, 0xa1, 0x20]), ...meta(2 * Q, 0x51, [15, 0x42, 0x40])];
    expect(abcOf(tempo, notes([[60, 0, 8 * Q]]))).toContain('Q:1/4=80\n');
    expect(musicOf(tempo, notes([[60, 0, 8 * Q]]))).toBe('C4-|[Q:1/4=60]C4|\n');
  });

  test('a tune can have one tempo, with which it lasts as long', () => {
    const tempo = [...meta(0, 0x51, [7, 0xa1, 0x20]), ...meta(4 * Q, 0x51, [15, 0x42, 0x40])];
    const { abc } = midiToAbc(midi(tempo, notes([[60, 0, 8 * Q]])), { tempoChanges: false });
    expect(abc).toMatch(/Q:1\/4=80\nK:C\nC4-\|C4\|\n$/);
  });

  test('the key is that of the file, and a key change is written at its bar', () => {
    const keys = [...meta(0, 0x59, [0xfd, 0]), ...meta(4 * Q, 0x59, [2, 1])];
    expect(
      abcOf(
        keys,
        notes([
          [63, 0, 4 * Q],
          [66, 4 * Q, 4 * Q],
        ]),
      ),
    ).toMatch(/K:Eb\nE\d*\|\[K:Bm\]F\d*\|\n$/);
  });

  test('a key after the last note is no key of the music', () => {
    expect(abcOf([...SCALE, ...meta(400 * Q, 0x59, [2, 0])])).toBe(abcOf(SCALE));
  });

  test('a missing key is estimated from the notes', () => {
    const melody = (pitches: number[]) => notes(pitches.map((pitch, i) => [pitch, i * Q, Q]));
    expect(abcOf(melody([67, 69, 71, 72, 74, 76, 78, 79, 74, 71, 67, 67]))).toContain('K:G\n');
    expect(abcOf(melody([69, 71, 72, 74, 76, 77, 80, 81, 76, 72, 69, 69]))).toContain('K:Am\n');
    expect(abcOf(melody([65, 67, 69, 70, 72, 74, 76, 77, 72, 69, 65, 65]))).toContain('K:F\n');
  });

  test('spelling follows the key: the leading note of C minor is B natural, its sixth A flat', () => {
    expect(
      musicOf(
        [...meta(0, 0x59, [0xfd, 1])],
        notes([
          [71, 0, Q],
          [72, Q, Q],
          [68, 2 * Q, Q],
          [67, 3 * Q, Q],
        ]),
      ),
    ).toBe('=BcAG|\n');
    expect(
      musicOf(
        [...meta(0, 0x59, [4, 0])],
        notes([
          [66, 0, Q],
          [68, Q, Q],
          [70, 2 * Q, Q],
          [71, 3 * Q, Q],
        ]),
      ),
    ).toBe('FG^AB|\n');
  });

  test('an accidental is written if one reading of the octave rule needs it', () => {
    // C sharp below, then C above: natural if accidentals hold for one octave, sharp if for all.
    expect(
      musicOf(
        [...meta(0, 0x59, [0, 0])],
        notes([
          [61, 0, Q],
          [72, Q, Q],
          [61, 2 * Q, Q],
          [61, 3 * Q, Q],
        ]),
      ),
    ).toBe('^C=c^CC|\n');
  });

  describe('drums', () => {
    const drums = notes(
      [
        [42, 0, Q],
        [43, Q, 3 * Q],
      ],
      9,
    );
    const key = meta(0, 0x59, [3, 0]);

    test('are written as in C in every key', () => {
      const abc = abcOf([...key, ...notes([[69, 0, 4 * Q]])], drums);
      expect(abc).toMatch(/K:A\nV:1\nV:2\n%%MIDI channel 10\n\[V:1\]A4\|\[V:2\]\[K:C\]\^F,,G,,3\|\n$/);
    });

    test('alone have no other key, so that their text converts to itself', () => {
      const abc = abcOf([...key], drums);
      expect(abc).toMatch(/K:C\n%%MIDI channel 10\n\^F,,G,,3\|\n$/);
      expect(midiToAbc(abcToMidi(abc)).abc).toBe(abc);
    });
  });
});
