/** Damaged MIDI files: repairs and refusals. */
import { describe, expect, test } from 'vitest';
import { checkAbc, MusicError, midiToAbc } from '../../lib/music/index.ts';
import { chunk, END_OF_TRACK, header, meta, midi, notes } from './midi-bytes.ts';

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

describe('files that are refused with a reason', () => {
  test.each<[string, number[], RegExp]>([
    ['an empty file', [], /the file is empty/],
    ['text', [...Buffer.from('<!DOCTYPE html>')], /not a MIDI file/],
    ['a header alone', header(1, 0, 480), /no track/],
    ['half a header', header(1, 0, 480).slice(0, 10), /header is cut short/],
    ['no ticks to a beat', [...header(0, 1, 0), ...chunk('MTrk', [...SCALE, ...END_OF_TRACK])], /no ticks per beat/],
    ['silence', [...midi([])], /no note/],
    [
      'a forged time of a million bars',
      [...midi([...SCALE, 0xff, 0xff, 0xff, 0x7f, 0x90, 60, 1, 0, 0x80, 60, 0])],
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
