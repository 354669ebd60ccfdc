/** Damaged MIDI files: repairs and refusals. */
import { describe, expect, test } from 'vitest';
import { checkAbc, MusicError, midiToAbc } from '../../lib/music/index.ts';
import { heard } from './heard.ts';
import { chunk, END_OF_TRACK, header, meta, midi, notes, quantity } from './midi-bytes.ts';

const Q = 480;
/** Four quarters from middle C: the smallest tune. */
const SCALE = notes([
  [60, 0, Q],
  [62, Q, Q],
  [64, 2 * Q, Q],
  [65, 3 * Q, Q],
]);

describe('damage that is repaired', () => {
  const plain = midi(SCALE);
  const expected = midiToAbc(plain).abc;
  const repaired = (bytes: number[] | Uint8Array) => midiToAbc(Uint8Array.from(bytes));

  test.each<[string, number[], RegExp]>([
    ['a RIFF wrapper', [...Buffer.from('RIFF\x10\0\0\0RMIDdata\x10\0\0\0', 'latin1'), ...plain], /20 bytes before/],
    ['leading bytes', [0, 0, 77, ...plain], /3 bytes before/],
    [
      'an unknown chunk',
      [...header(0, 1, 480), ...chunk('XFIH', [1, 2, 3]), ...plain.subarray(14)],
      /not a track was passed over/,
    ],
    ['a wrong number of tracks', [...header(0, 9, 480), ...plain.subarray(14)], /announces 9 tracks, the file has 1/],
    ['no end of track', [...header(0, 1, 480), ...chunk('MTrk', SCALE)], /^$/],
    [
      'a track length that is too long',
      [...header(0, 1, 480), ...chunk('MTrk', [...SCALE, ...END_OF_TRACK]).with(7, 255)],
      /length is wrong/,
    ],
    [
      'a track length of 0',
      [...header(0, 1, 480), ...chunk('MTrk', [...SCALE, ...END_OF_TRACK]).with(7, 0)],
      /length is wrong/,
    ],
    [
      'delta times that are filled up with zeros',
      [...header(0, 1, 480), ...chunk('MTrk', [128, 128, 128, 128, ...SCALE, ...END_OF_TRACK])],
      /^$/,
    ],
    [
      'system messages, which do not belong in files',
      [...header(0, 1, 480), ...chunk('MTrk', [0, 0xf8, 0, 0xf3, 1, ...SCALE, ...END_OF_TRACK])],
      /2 stray/,
    ],
  ])('%s', (_, bytes, warning) => {
    const { abc, warnings } = repaired(bytes);
    expect(abc).toBe(expected);
    expect(warnings.join('\n')).toMatch(warning);
  });

  test('a note without note-off ends at the next note of its pitch, or with the track', () => {
    const track = [
      0,
      0x90,
      60,
      64,
      ...meta(Q, 1, []),
      0,
      0x90,
      60,
      64,
      (Q >> 7) | 128,
      Q & 127,
      0x80,
      60,
      0,
      0,
      0x90,
      62,
      64,
      ...meta(2 * Q, 1, []),
    ];
    const { abc, warnings } = repaired(midi(track));
    expect(abc).toMatch(/CCD2\|\n$/);
    expect(warnings.join()).toMatch(/track 1: some notes of 2 pitches have no end/);
  });

  test('the patterns of format 2 follow one another', () => {
    const tracks = [SCALE, SCALE].flatMap((events) => chunk('MTrk', [...events, ...END_OF_TRACK]));
    expect(repaired([...header(2, 2, 480), ...tracks]).abc).toMatch(
      /\[V:1\]CDEF\|\[V:2\]Z\|\n\[V:1\]Z\|\[V:2\]CDEF\|\n$/,
    );
  });

  test('SMPTE time is read as 120 beats per minute', () => {
    const bytes = [
      ...header(0, 1, 0xe728),
      ...chunk('MTrk', [
        ...notes([
          [60, 0, 500],
          [62, 500, 1500],
        ]),
        ...END_OF_TRACK,
      ]),
    ];
    expect(repaired(bytes).abc).toMatch(/Q:1\/4=120\nK:.*\nCD3\|/);
  });

  test('more than fifteen pitched parts are joined', () => {
    const tracks = Array.from({ length: 20 }, (_, i) => [0, 0xc0 | (i % 8), i % 4, ...notes([[40 + i, 0, Q]], i % 8)]);
    const { abc, notes: count, warnings } = repaired(midi(...tracks));
    expect(abc).toContain('\nV:15\n');
    expect(abc).not.toContain('\nV:16\n');
    expect(count).toBe(20);
    expect(warnings.join()).toMatch(/20 parts .* joined to 15/);
    expect(checkAbc(abc)).toEqual([]);
  });
});

/** Three quarters from middle C, each event with its own bytes. */
const THREE = (second: number[]) => [
  ...notes([[60, 0, Q]]),
  ...second,
  ...quantity(Q),
  0x80,
  62,
  0,
  ...notes([[64, 0, Q]]),
];
const sound = (...tracks: number[][]) => heard(midi(...tracks));

describe('data bytes over 127', () => {
  test.each<[string, number[]]>([
    ['the velocity of a note', THREE([0, 0x90, 62, 0xb0])],
    ['a controller, whose value looks like a meta event', THREE([0, 0xb0, 7, 0xff, 0, 0x90, 62, 64])],
    ['a program, which becomes 127', [...THREE([0, 0x90, 62, 64]), 0, 0xc1, 0xf7]],
    ['a pitch bend with two of them', THREE([0, 0xe0, 0x80, 0xc0, 0, 0x90, 62, 64])],
    ['values in several events in a row', THREE([0, 0xb0, 7, 0x80, 0, 0xb0, 10, 0xf0, 0, 0x90, 62, 0xff])],
    ['a velocity before running status', THREE([0, 0x90, 67, 0x90, 0, 67, 0, 0, 62, 64])],
  ])('are clamped: %s', (_, track) => {
    const bytes = midi(track);
    expect(midiToAbc(bytes).warnings.join()).toMatch(/data bytes over 127 were read as 127/);
    expect(heard(bytes)).toMatch(/^60@0\+1 (?:62@1\+1|62@1\+1 67@1\+0|67@1\+0 62@1\+1) 64@2\+1$/);
  });

  test('a status byte is one where the event before has lost its data', () => {
    expect(sound([...notes([[60, 0, Q]]), 0, 0xb0, 7, 0x90, 62, 64, ...quantity(Q), 0x80, 62, 0])).toBe(
      '60@0+1 62@1+1',
    );
  });
});

describe('the ends of tracks', () => {
  const track = chunk('MTrk', [...SCALE, ...END_OF_TRACK]);
  const whole = heard(midi(SCALE));
  const heardOf = (...bytes: number[][]) => heard(Uint8Array.from(bytes.flat()));

  test.each<[string, number[][]]>([
    ['a copy after the last announced track', [header(1, 1, 480), track, track]],
    ['a copy after other leftovers', [header(1, 1, 480), track, [0, 0, 17, 34], track]],
    ['half a track after the last announced one', [header(1, 1, 480), track, track.slice(0, 30)]],
    ['bytes between two tracks', [header(1, 2, 480), chunk('MTrk', [...END_OF_TRACK]), [0, 0, 0], track]],
    ['an end of track before the music', [header(0, 1, 480), chunk('MTrk', [...END_OF_TRACK, ...track.slice(8)])]],
    ['zeros after the end of track', [header(0, 1, 480), chunk('MTrk', [...SCALE, ...END_OF_TRACK, 0, 0, 0, 0])]],
  ])('%s', (_, bytes) => expect(heardOf(...bytes)).toBe(whole));

  test('whole tracks that the header does not count are read', () => {
    const other = chunk('MTrk', [...notes([[48, 0, Q]], 1), ...END_OF_TRACK]);
    expect(heardOf(header(1, 1, 480), track, other)).toBe(heard(midi(SCALE, notes([[48, 0, Q]], 1))));
  });
});

describe('notes without a note-off', () => {
  const on = (pitch: number, channel = 0) => [0, 0x90 | channel, pitch, 64];

  test.each<[string, number[][], string]>([
    ['last to the next onset', [[...on(48), ...quantity(Q), 0x90, 60, 64, ...SCALE]], '48@0+1'],
    ['last at most a bar', [[...on(48), ...meta(9 * Q, 1, [])], notes([[60, 8 * Q, Q]], 1)], '48@0+4'],
    ['of one chord last together', [[...on(48), 9, 0x90, 52, 64, ...meta(2 * Q, 1, [])]], '48@0+2.019 52@0.019+2'],
    [
      'end in another track',
      [
        [...on(48), ...meta(6 * Q, 1, [])],
        [...quantity(6 * Q), 0x80, 48, 0],
      ],
      '48@0+6',
    ],
    ['end with all notes off', [[...on(48), ...quantity(Q), 0xb0, 123, 0, ...meta(Q, 1, [])]], '48@0+1'],
    [
      'end with all notes off elsewhere',
      [
        [...on(48), ...meta(Q, 1, [])],
        [...quantity(90), 0xb0, 120, 0],
      ],
      '48@0+0.188',
    ],
  ])('%s', (_, tracks, expected) => expect(sound(...tracks)).toMatch(expected));
});

describe('drums', () => {
  const hit = notes([[36, 0, Q]], 3);
  const bank = (value: number, channel = 3) => [0, 0xb0 | channel, 0, value, 0, 0xc0 | channel, 0];
  const gs = (part: number, value: number) => [0, 0xf0, 10, 0x41, 16, 0x42, 0x12, 0x40, part, 0x15, value, 0, 0xf7];
  const xg = (address: number[]) => [0, 0xf0, 8, 0x43, 16, 0x4c, ...address, 0xf7];

  test.each<[string, number[][], string]>([
    ['XG: bank 127', [[...bank(127), ...hit]], 'd36@0+1'],
    ['XG: bank 127 without a program change', [[0, 0xb3, 0, 127, ...hit]], 'd36@0+1'],
    ['GM2: bank 120', [[...bank(120), ...hit]], 'd36@0+1'],
    ['other banks', [[...bank(8), ...hit]], '36@0+1'],
    ['GS: a part set to drums', [[...gs(0x14, 1), ...hit]], 'd36@0+1'],
    [
      'GS: a part set to drums, in a message of two events',
      [[0, 0xf0, 5, 0x41, 16, 0x42, 0x12, 0x40, 0, 0xf7, 5, 0x14, 0x15, 1, 0x16, 0xf7, ...hit]],
      'd36@0+1',
    ],
    ['GS: a part after the tenth', [[...gs(0x1a, 2), ...notes([[36, 0, Q]], 10)]], 'd36@0+1'],
    ['GS: channel 10 set to a melody', [[...gs(0x10, 0), ...notes([[36, 0, Q]], 9)]], '36@0+1'],
    ['XG: a part set to drums in another track', [[...xg([8, 3, 7, 2])], hit], 'd36@0+1'],
    [
      'bank 127 of a GS file',
      [[0, 0xf0, 10, 0x41, 16, 0x42, 0x12, 0x40, 0, 0x7f, 0, 0x41, 0xf7, ...bank(127), ...hit]],
      '36@0+1',
    ],
    ['bank 0 on channel 10', [[...bank(0, 9), ...notes([[36, 0, Q]], 9)]], 'd36@0+1'],
    ['a channel that becomes drums', [[...hit, ...bank(127), ...hit]], '36@0+1 d36@1+1'],
  ])('%s', (_, tracks, expected) => expect(sound(...tracks)).toBe(expected));
});

describe('keys', () => {
  const key = (fifths: number) => meta(0, 0x59, [fifths & 255, 0]);
  const scale = (tonic: number, channel = 0) =>
    notes(
      [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0].map((step, i) => [tonic + step, i * Q, Q] as [number, number, number]),
      channel,
    );
  const keyOf = (...tracks: number[][]) => /K:(.*)/.exec(midiToAbc(midi(...tracks)).abc)![1];

  test('the written key of a transposing instrument does not count', () => {
    expect(keyOf([...key(-2), ...scale(70)], [...key(0), ...scale(58, 1)])).toBe('Bb');
    expect(keyOf([...key(0), ...scale(58)], [...key(-2), ...scale(70, 1)], [...key(0), ...scale(46, 2)])).toBe('Bb');
  });

  test('a C major that the notes contradict is the default of a program', () => {
    const often = (tonic: number) => [0, 1, 2].flatMap(() => scale(tonic));
    expect(keyOf([...key(0), ...often(64)])).toBe('E');
    expect(keyOf([...key(0), ...often(60)])).toBe('C');
    expect(keyOf([...key(1), ...often(64)])).toBe('G');
  });

  test('music in G Mixolydian keeps the signature of C major: that of G would need more accidentals', () => {
    const pitches = [67, 74, 71, 67, 69, 71, 72, 74, 77, 74, 71, 67].flatMap((pitch) => [pitch, pitch, pitch]);
    expect(keyOf([...key(0), ...notes(pitches.map((pitch, i) => [pitch, i * Q, Q]))])).toBe('C');
  });

  test('few pitches give the simplest key that has them', () => {
    expect(keyOf(notes([[60, 0, Q]]))).toBe('C');
    expect(
      keyOf(
        notes([
          [66, 0, Q],
          [67, Q, Q],
        ]),
      ),
    ).toBe('G');
  });
});

describe('a damaged time of thousands of bars', () => {
  const far = (...events: number[]) => [...meta(4 * 4000 * Q, 1, []), ...events];
  const chord = notes([
    [67, 0, Q],
    [71, 0, Q],
  ]);

  test.each<[string, number[][], RegExp, string]>([
    ['behind the music', [[...SCALE, ...far(...chord)]], /\nCDEF\|\n$/, '2 notes far behind the music were left out'],
    ['in another track', [SCALE, far(...chord)], /\nCDEF\|\n$/, '2 notes far behind the music were left out'],
    ['before the music', [far(...SCALE)], /\nZ\|CDEF\|\n$/, 'a silence of 15996 beats was closed'],
    ['in the middle', [[...SCALE, ...far(...SCALE)]], /\nCDEF\|Z\|CDEF\|\n$/, 'a silence of 15996 beats was closed'],
    [
      'before the end of a note',
      [[...SCALE, 0, 0x90, 67, 64, ...far(0, 0x80, 67, 0)]],
      /\nCDEF\|G4\|\n$/,
      '1 notes of more than 2000 beats were cut to a bar',
    ],
  ])('%s', (_, tracks, music, warning) => {
    const { abc, warnings } = midiToAbc(midi(...tracks));
    expect(abc).toMatch(music);
    expect(warnings).toEqual([warning]);
  });

  test('before a tempo or metre adds no bars', () => {
    expect(midiToAbc(midi(SCALE, meta(4 * 4000 * Q, 0x58, [3, 2, 24, 8]))).abc).toBe(midiToAbc(midi(SCALE)).abc);
  });
});

describe('files that are refused with a reason', () => {
  test.each<[string, number[], RegExp]>([
    ['an empty file', [], /the file is empty/],
    ['text', [...Buffer.from('<!DOCTYPE html>')], /not a MIDI file/],
    ['a header alone', header(1, 0, 480), /no track/],
    ['half a header', header(1, 0, 480).slice(0, 10), /header is cut short/],
    ['no ticks to a beat', [...header(0, 1, 0), ...chunk('MTrk', [...SCALE, ...END_OF_TRACK])], /no ticks per beat/],
    ['silence', [...midi([])], /no note/],
    [
      'more music than a day has',
      [...midi(notes(Array.from({ length: 120 }, (_, i) => [60, i * 399 * Q, Q])))],
      /more than 10000 bars/,
    ],
  ])('%s', (_, bytes, reason) => {
    expect(() => midiToAbc(Uint8Array.from(bytes))).toThrow(MusicError);
    expect(() => midiToAbc(Uint8Array.from(bytes))).toThrow(reason);
  });

  test('a Buffer that is a view of a larger one is read within its bounds', () => {
    const bytes = midi(SCALE);
    const pool = Buffer.alloc(1000, 0x4d);
    pool.set(bytes, 300);
    expect(midiToAbc(pool.subarray(300, 300 + bytes.length)).abc).toBe(midiToAbc(bytes).abc);
  });
});
