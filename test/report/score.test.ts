/**
 * The laid-out score: interleaved bars gathered by voice, clefs by range, instruments by name, drums at their staff
 * positions.
 */
import { describe, expect, test } from 'vitest';
import { layOutScore } from '../../lib/report/samples/index.ts';
import { exampleAbc } from './example.ts';

/** An interleaved tune in 4/4 with L:1/4. */
function tune(voices: string, music: string): string {
  return `X:1\nM:4/4\nL:1/4\nQ:1/4=100\nK:C\n${voices}${music}`;
}

describe('layOutScore', () => {
  test('gathers bars by voice, several per system, and keeps the header', () => {
    const score = layOutScore(tune('V:1\nV:2\n', "[V:1]cdef|[V:2]C4|\n[V:1]gabc'|[V:2]G,4|\n"));
    expect(score.split('\n').slice(0, 5)).toEqual(['X:1', 'M:4/4', 'L:1/4', 'Q:1/4=100', 'K:C']);
    expect(score).toContain("[V:1] cdef| gabc'|\n[V:2] C4| G,4|\n");
  });

  test('puts fewer bars on a system if they have many notes', () => {
    const systems = (bar: string) =>
      layOutScore(tune('V:1\nV:2\n', `[V:1]${bar}|[V:2]C4|\n`.repeat(8))).match(/\[V:1\]/g)!.length;
    expect(systems('cdef')).toBe(2);
    expect(systems('c/4d/4e/4f/4'.repeat(4))).toBe(4);
    expect(systems('c/8'.repeat(40))).toBe(8);
  });

  test('names instruments and chooses clefs by their range', () => {
    const declared = layOutScore(
      tune(
        'V:1\n%%MIDI program 73\nV:2\nV:3\n%%MIDI program 33\nV:4\n%%MIDI channel 10\n',
        "[V:1]c'd'e'f'|[V:2]C,E,G,C|[V:3]C,,4|[V:4]C,,D,,C,,D,,|\n",
      ),
    );
    expect(declared).toContain('V:1 clef=treble+8 name="Flute"');
    expect(declared).toContain('V:2 clef=bass name="Piano"');
    expect(declared).toContain('V:3 clef=bass-8 name="Finger bass"');
    expect(declared).toContain('V:4 clef=perc name="Drums"');
    // A clef with an 8 transposes by an octave, so notes are written an octave away.
    expect(declared).toContain('[V:1] cdef|');
    expect(declared).toContain('[V:3] C,4|');
  });

  test('writes a bar of rest as one rest of the bar’s length', () => {
    const score = layOutScore(tune('V:1\nV:2\n', '[V:1]Z|[V:2]C4|\n[V:1][M:3/4]Z|[V:2][M:3/4]C3|\n'));
    expect(score).toContain('[V:1] z16/4| [M:3/4]z12/4|');
  });

  test('returns other layouts unchanged', () => {
    const abc = 'X:1\nM:4/4\nK:C\nCDEF|GABc|\n';
    expect(layOutScore(abc)).toBe(abc);
    expect(layOutScore('no music at all')).toBe('no music at all');
    expect(layOutScore('X:1\nK:C\n[V:1]c|\nnot a voice\n')).toContain('not a voice');
  });

  test('is parsed by abcjs without a warning', async () => {
    const { default: abcjs } = await import('abcjs');
    const [parsed] = abcjs.parseOnly(layOutScore(exampleAbc()));
    expect(parsed.warnings ?? []).toEqual([]);
  });
});

/** Lays out one bar of a drum voice. */
function drumBar(bar: string): string {
  const lines = layOutScore(tune('V:1\n%%MIDI channel 10\n', `[V:1]${bar}\n`)).split('\n');
  return lines.find((line) => line.startsWith('[V:1] '))!.slice('[V:1] '.length);
}

describe('drum notation', () => {
  test('puts each drum at its staff position: bass drum, snare, hi-hat', () => {
    expect(drumBar('[C,,^F,,]^F,,[D,,F,,]F,,|')).toBe('[Fg]g[cg]g|');
  });

  test('applies an accidental to the rest of the bar, in its octave only', () => {
    expect(drumBar('^F,,F,,=F,,F,,|')).toBe('ggAA|');
    expect(drumBar('^C,C,|')).toBe('aa|');
  });

  test('applies the key signature, as the MIDI file does', () => {
    const music = tune('V:1\n%%MIDI channel 10\n', '[V:1]F,,F,,=F,,F,,|\n').replace('K:C', 'K:G');
    expect(layOutScore(music)).toContain('[V:1] ggAA|');
  });

  test('draws two drums at one position as one head, and keeps lengths, rests and fields', () => {
    expect(drumBar('[M:3/4][B,,,C,,]2z/2A4|')).toBe('[M:3/4][F]2z/2B4|');
  });
});
