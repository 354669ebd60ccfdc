/** The problems that checkAbc finds, and their places. */
import { describe, expect, test } from 'vitest';
import { checkAbc } from '../../lib/music/index.ts';

const tune = (music: string) => `X:1\nM:4/4\nL:1/4\nK:C\n${music}\n`;
/** `line:column kind` of each problem. The music begins in line 5. */
const problems = (text: string) => checkAbc(text).map(({ line, column, kind }) => `${line}:${column} ${kind}`);

test('a valid tune has no problem', () => {
  expect(problems(tune('CDEF|G4-|G2 z2|]'))).toEqual([]);
  expect(problems(tune('V:1\nV:2\n[V:1]CDEF|[V:2]C,4|\n[V:1]G4|[V:2]Z|'))).toEqual([]);
});

describe.each<[string, string, string[]]>([
  ['a character without meaning', 'CD]EF|', ['5:3 syntax']],
  ['a chord that is not closed', '[CE|', ['5:1 syntax']],
  ['an accidental without a note', 'CDE^|', ['5:4 syntax']],
  ['a decoration that does not end', 'C!trillDEF|', ['5:2 syntax']],
  ['broken rhythm at the end of a bar', 'CDEF>|', ['5:1 bar-length', '5:6 syntax']],
  ['a bar that is too long', 'CDEF|CDEFG|', ['5:6 bar-length']],
  ['a bar that is too short', 'CDEF|CDE|CDEF|', ['5:6 bar-length']],
  ['layers of unequal length', 'C4&D3|', ['5:1 bar-length']],
  ['voices of unequal length', 'V:1\nC4|D4|\nV:2\nE4|', ['8:1 bar-count']],
  ['bars that differ between voices', 'M:none\nV:1\nC4|D4|\nV:2\nE4|F3|', ['9:4 bar-length']],
  ['a pitch that MIDI does not have', "C3c''''''|", ['5:3 range']],
  ['a note of thousands of bars', 'C99999|', ['5:7 range', '5:1 bar-length']],
  ['a chord of thousands of notes', `[${'c4'.repeat(2049)}]|`, ['5:1 range']],
  ['a tie that no note continues', 'CDEF-|G4|', ['5:4 tie']],
  ['a tie to another pitch', 'C2-D2|', ['5:1 tie']],
  ['a tie that a field parts from its note', 'CDEF[Q:1/4=90]-|F4|', ['5:15 tie']],
  ['a decoration in a chord that no note follows', '[CEk]4|', ['5:4 symbol']],
  ['a letter that no U: defines', 'CDhEF|', ['5:3 symbol']],
  ['a character that the standard reserves', 'CD#E;F|', ['5:3 symbol', '5:5 symbol']],
  ['words with bar lines', 'hello world this is not music|\nC4|', ['5:1 syntax']],
  ['a line of words', 'C4|\nplayed slowly by Dad\nD4|', ['6:1 syntax']],
  ['music after an empty line', 'C4|\n\nD4|E4|', ['7:1 syntax']],
  ['an ending that no sign leads back from', '|:C4|1D4|2E4|]', ['5:7 repeat']],
  ['an ending 2 after a repeat without an ending 1', 'C4:|[2D4|E4|', ['5:7 repeat']],
  ['an ending 2 alone', '|:C4|[2D4|]', ['5:8 repeat']],
  ['voices with different repeats', 'V:1\n|:C4|D4:|E4|\nV:2\nE4|F4|G4|', ['8:1 repeat']],
  ['a short bar before a double bar', 'CDEF|CDE||CDEF|', ['5:6 bar-length']],
  ['a short bar after a double bar', 'C4||DE|F4|]', ['5:5 bar-length']],
  ['a short bar before a repeat sign', '|:C4|D3:|', ['5:6 bar-length']],
  ['a short bar alone between double bars', 'C4||DE||F4||', ['5:5 bar-length']],
  ['a pass without an ending', '|:C4|1D4:|3E4|]', ['5:7 repeat']],
  ['a letter whose definition was taken away', 'U:k=!fermata!\nkC4|\nU:k=!nil!\nkD4|', ['8:1 symbol']],
  ['a bar line left out at the end of a line', 'CDEF\nGABc|', ['5:1 bar-length']],
  ['a short last bar without an upbeat', 'C4|D3|]', ['5:4 bar-length']],
  ['an ending whose range counts backwards', '|:C4|[3-1D4:|E4|]', ['5:6 repeat']],
  ['an ending with a range among its passes that counts backwards', '|:C4|[1,3-2D4:|[2E4|]', ['5:6 repeat']],
  ['an ending for a pass beyond the 99th', 'C4|1 D4:|1000000000000000000000 E4|', ['5:10 repeat']],
  [
    'rests of too many bars',
    `C4|${'Z999|'.repeat(60)}`,
    Array(10)
      .fill('')
      .map((_, i) => `5:${5 * i + 258} range`),
  ],
  ['a tune without notes', 'z4|', ['1:1 empty']],
  ['a metre that is a word', '[M:four]C4|', ['5:1 header']],
])('%s', (_, music, expected) => {
  test(`is found in ${music.slice(0, 40)}`, () => expect(problems(tune(music)).sort()).toEqual(expected.sort()));
});

test.each([
  ['upbeats', 'C|CDEF|CDE:|C|CDEF|CDE||C|CDEF|'],
  ['a last bar that completes the upbeat', 'G|C4|D3|'],
  ['the same in both endings', 'G|C4|1D3:|2D3||'],
  ['an upbeat before the repeat sign', 'G|:C4|D3:|'],
  ['a bar that a double bar divides', 'CDEF|CD||EF|C4|]'],
  ['the upbeat of a tune in another metre', 'C4||[M:3/4]D|E3|F3|]'],
])('a bar may be short where another completes it: %s', (_, music) => expect(problems(tune(music))).toEqual([]));

test.each([
  ['line ends of old programs', 'C4|!\nD4|! E4|!\nF4!|'],
  ['letters that U: defines', 'U:h=!trill!\nU: w = +roll+\nhCD wEF|'],
  ['decorations', '!trill!C4|!f!D4|!D.C. al fine!E4|+f+F4|TC3 ~D|'],
  ['free text after an empty line', 'C4|\n\nA bad cafe|\n'],
  ['broken rhythms that look like a tag', 'C<A F>G|D4|'],
  ['spaces of a web page', 'C2\u00a0D2|\u00a0E4|'],
  ['the rest of a web page', 'C4|]\n</pre>\n<p>A bad cafe</body>'],
  ['blocks of text', 'C4|\n%%begintext\nbad egg|\nX:3\n%%endtext\nD4|'],
  ['a first ending alone', '|:C4|1D4:|E4|]'],
  ['parts', 'C4|\nP:B\nD4|\nP:D.S.\nE4|'],
])('%s are no problem', (_, music) => expect(problems(tune(music))).toEqual([]));

test('a header may have comments, unknown words and H: over several lines, but no other text', () => {
  const header = (line: string) => problems(`X:1\nM:4/4\n${line}\nL:1/4\nK:C\nC4|\n`);
  for (const line of ['  % a comment', 'N::1st Setting', 'H:once\nin a bad cafe', 'V:1 clef=F foo=3'])
    expect(header(line)).toEqual([]);
  expect(header('T:x\na bad cafe')).toEqual(['4:1 header']);
});

test('missing X: and K: and an unreadable K: are problems of the header', () => {
  expect(problems('M:4/4\nK:C\nC8|\n')).toEqual(['1:1 header']);
  expect(problems('X:1\nM:4/4\nC8|\n')).toEqual(['3:1 header']);
  expect(problems('X:1\nM:4/4\nK:H\nC8|\n')).toEqual(['3:1 header']);
});

test('a message gives the length of a bar and the length of its metre', () => {
  expect(checkAbc(tune('CDEF|CDE|CDEF|'))[0].message).toBe('this bar is 3 beats long; 4/4 has 4 beats');
});
