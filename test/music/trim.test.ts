/** Trimming generated text, cut anywhere: it gives a valid tune or a reason. */
import { expect, test } from 'vitest';
import { checkAbc, MusicError, midiToAbc, trimToCompleteBars, withHeader } from '../../lib/music/index.ts';
import { seedMidis } from './fuzz.ts';

const HEAD = 'X:1\nM:4/4\nL:1/4\nK:C\n';
const trimmed = (text: string) => trimToCompleteBars(text).abc;

test('a complete tune is not changed', () => {
  expect(trimToCompleteBars(`${HEAD}CDEF|G4|\n`)).toEqual({ abc: `${HEAD}CDEF|G4|\n`, dropped: 0, problem: undefined });
});

test('a tune of one voice keeps its complete bars, and a tie at the end of the last is removed', () => {
  expect(trimmed(`${HEAD}CDEF|G4-|G2`)).toBe(`${HEAD}CDEF|G4|\n`);
});

test('a tie of one note of the last chord is removed', () => {
  expect(trimmed(`${HEAD}CDEF|[G-B-]2[GB-d-]2|[B`)).toBe(`${HEAD}CDEF|[G-B-]2[GBd]2|\n`);
});

test('interleaved voices keep the lines that have a bar of every voice', () => {
  const two = `${HEAD}V:1\nV:2\n[V:1]CDEF|[V:2]C,4-|\n`;
  expect(trimmed(`${two}[V:1]G4|[V:2]C`)).toBe(`${HEAD}V:1\nV:2\n[V:1]CDEF|[V:2]C,4|\n`);
  expect(trimmed(`${two}[V:1]G4|\n[V:1]G4|[V:2]C,4|\n`)).toBe(`${HEAD}V:1\nV:2\n[V:1]CDEF|[V:2]C,4|\n`);
});

test('voices that follow one another keep the bars that all voices have', () => {
  expect(trimmed(`${HEAD}V:1\nCDEF|G4|A4|\nV:2\nC,4|D,4|E,`)).toMatch(/V:1\nCDEF\|G4\|\nV:2\nC,4\|D,4\|\n$/);
});

test('the text is cut before the first problem, and the problem is returned', () => {
  const { abc, problem, dropped } = trimToCompleteBars(`${HEAD}CDEF|CDEFG|CDEF|\n`);
  expect(abc).toBe(`${HEAD}CDEF|\n`);
  expect(problem).toMatchObject({ line: 5, column: 6, kind: 'bar-length' });
  expect(dropped).toBe('CDEFG|CDEF|'.length);
});

test.each<[string, RegExp]>([
  ['', /no K: field/],
  ['X:1\nM:4/4\n', /no K: field/],
  [`${HEAD}CD`, /before its first bar is complete/],
  [`${HEAD}CDEFGAB|`, /no bar of the text is valid: line 5, column 1: this bar is 7 beats long/],
  [`${HEAD}z4|z4|`, /there is no note/],
])('%j is refused with a reason', (text, reason) => {
  expect(() => trimToCompleteBars(text)).toThrow(MusicError);
  expect(() => trimToCompleteBars(text)).toThrow(reason);
});

test('a tune cut at any character after its first bar gives a valid tune; before that, a MusicError', () => {
  const { abc } = midiToAbc(seedMidis()[0]);
  const firstBar = abc.indexOf('\n', abc.indexOf('[V:1]'));
  for (let end = 0; end <= abc.length; end++) {
    const cut = abc.slice(0, end);
    if (end < firstBar) expect(() => trimmed(cut), cut).toThrow(MusicError);
    else expect(checkAbc(trimmed(cut)), cut).toEqual([]);
  }
});

test('music without a header gets one, with its voices, and loses a first line that is not whole', () => {
  const music = 'F2|[V:2]C,4|\n[V:1]C4D4|[V:2]C,8|\n';
  expect(withHeader(music)).toBe('X:1\nM:4/4\nL:1/8\nQ:1/4=120\nK:C\nV:1\nV:2\n[V:1]C4D4|[V:2]C,8|\n');
  expect(checkAbc(withHeader(music))).toEqual([]);
  expect(checkAbc(withHeader('C4D4|'))).toEqual([]);
});
