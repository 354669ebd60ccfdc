/** A parsed tune has the positions of its notes, bars and fields in the text, and names what was passed over. */
import { expect, test } from 'vitest';
import { parseAbc, positionText, readAbc, WHOLE } from '../../lib/music/index.ts';

const TEXT =
  'X:1\nM:4/4\nL:1/8\nK:G\nV:1\nV:2\n%%MIDI channel 10\n' + '[V:1]^c,2[CE]4z2|[V:2]Z|\n[V:1][K:C]C8|][V:2]^F,8 D\n';
const LINES = TEXT.split('\n');
const tune = parseAbc(TEXT);
/** Returns the text of one line from one column up to another. */
const textAt = (line: number, column: number, endColumn: number) => LINES[line - 1].slice(column - 1, endColumn - 1);

test('the columns of a note enclose its accidental, letter and octave marks', () => {
  const notes = tune.voices[0].bars[0].layers[0].notes;
  expect(notes.map((note) => textAt(note.line, note.column, note.endColumn))).toEqual(['^c,', 'C', 'E']);
  expect(notes.map((note) => note.start / WHOLE)).toEqual([0, 1 / 4, 1 / 4]);
});

test('a bar runs from its first note or rest to the end of its bar line, or of the text', () => {
  const bars = tune.voices.map((voice) => voice.bars.map((bar) => textAt(bar.line, bar.column, bar.endColumn)));
  expect(bars[0]).toEqual(['^c,2[CE]4z2|', 'C8|]']);
  expect(bars[1][0]).toBe('Z|');
  expect(tune.voices[1].bars[1]).toMatchObject({ line: 9, endLine: 10, endColumn: 1 });
});

test('the columns of a field enclose it, with its brackets where it is inline', () => {
  const fields = tune.fields.map(({ line, column, endColumn }) => textAt(line, column, endColumn));
  expect(fields.slice(3)).toEqual(['K:G', 'V:1', 'V:2', '[V:1]', '[V:2]', '[V:1]', '[K:C]', '[V:2]']);
});

test('a staff position is written as a letter with octave marks', () => {
  expect([21, 28, 35, 42, 49].map(positionText)).toEqual(['C,,', 'C,', 'C', 'c', "c'"]);
});

const jumps = (music: string) => readAbc(`X:1\nM:4/4\nL:1/4\nK:C\n${music}\n`).remarks.map(({ message }) => message);

test.each([
  ['decorations', 'C4|D4!D.C.!|+D.S.+E4!dacoda!|', ['D.C.', 'D.S.', 'dacoda']],
  ['annotations', '"^D.C. al Fine"C4|"Da Capo"D4|', ['D.C. al Fine', 'Da Capo']],
  ['parts', 'C4|\nP:D.S. al Coda\nD4|', ['D.S. al Coda']],
])('jumps are remarks: %s', (_, music, names) => {
  expect(jumps(music)).toEqual(names.map((name) => `the jump "${name}" is not played`));
});

test('the places that jumps lead to, chord symbols and other words are not remarks', () => {
  expect(jumps('!segno!C4|!coda!"Dm"D4|"^Fine""D"!fine!E4|"^and. cresc."F4|')).toEqual([]);
});

test.each([
  ['clef=bass G', 1],
  ['bass Gm', -2],
  ['transpose=-2 clef="treble" F#dor', 4],
  ['clef=bass', 0],
  ['clef=bass ^f', 1],
])('K:%s has its parameters before its key', (value, fifths) => {
  const { voices, problems, remarks } = parseAbc(`X:1\nL:1/4\nK:${value}\nCDEF|\n`);
  expect(voices[0].bars[0].key.fifths).toBe(fifths);
  expect([...problems, ...remarks]).toEqual([]);
});
