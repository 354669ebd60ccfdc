/** Converts ABC to MIDI: the language of standard 2.1, as people write it. */
import { describe, expect, test } from 'vitest';
import { abcToMidi, MusicError, readAbc, readMidi } from '../../lib/music/index.ts';
import { heard } from './heard.ts';

/** Returns the sound of a tune. By default the tune is in C and 4/4, with quarter notes. */
const play = (music: string, fields = 'M:4/4\nL:1/4\nK:C') => heard(abcToMidi(`X:1\n${fields}\n${music}\n`));

describe('notes', () => {
  test.each([
    ['letters and octaves', "C, C c c'", '48@0+1 60@1+1 72@2+1 84@3+1'],
    ['lengths', 'C2 C/ C// C3/2 C/4 |', '60@0+2 60@2+0.5 60@2.5+0.25 60@2.75+1.5 60@4.25+0.25'],
    ['accidentals', '^C _D =E ^^F __G |', '61@0+1 61@1+1 64@2+1 67@3+1 65@4+1'],
    ['an accidental holds to the end of its bar, in all octaves', '^C C c2 | C', '61@0+1 61@1+1 73@2+2 60@4+1'],
    [
      'an accidental holds over a bar line that was left out',
      '^CDEF\nC4|C4',
      '61@0+1 62@1+1 64@2+1 65@3+1 61@4+4 60@8+4',
    ],
    ['rests', 'z C x2 | C', '60@1+1 60@4+1'],
    ['rests of whole bars', 'Z2 | C', '60@8+1'],
    ['chords', '[CEG]2 [C2E2]2 |', '60@0+2 64@0+2 67@0+2 60@2+4 64@2+4'],
    ['the music continues at the end of the first note of a chord', '[CE2] G', '60@0+1 64@0+2 67@1+1'],
    ['ties, over bar lines and in chords', 'C3 C-|C2 [CE]2-|[CE]4', '60@0+3 60@3+3 60@6+6 64@6+6'],
    ['a tie of one note of a chord', '[C-E]2 C2', '60@0+4 64@0+2'],
    ['a tie carries its accidental over the bar line', '^C4-|C2 C2', '61@0+6 60@6+2'],
    [
      'a tie finds its pitch among other notes of its letter, and in another spelling',
      '[c^c-]4|[c^c]4|_d4-|^c4',
      '72@0+4 73@0+8 72@4+4 73@8+8',
    ],
    ['a tie is not continued by another pitch of its letter in another layer', '^c4-|c4&^c4', '73@0+8 72@4+4'],
    ['broken rhythm', 'C>D C<D C>>D', '60@0+1.5 62@1.5+0.5 60@2+0.5 62@2.5+1.5 60@4+1.75 62@5.75+0.25'],
    ['triplets', '(3CDE F', '60@0+0.667 62@0.667+0.667 64@1.333+0.667 65@2+1'],
    ['other tuplets', '(5:4:5CDEFG c', '60@0+0.8 62@0.8+0.8 64@1.6+0.8 65@2.4+0.8 67@3.2+0.8 72@4+1'],
    ['tuplets of one note', '(1:2:2CC', '60@0+2 60@2+2'],
    ['chords of version 1.5', '+CEG+2 C2', '60@0+2 64@0+2 67@0+2 60@2+2'],
    ['octave decorations', '!8va(!C D!8va)!E', '72@0+1 74@1+1 64@2+1'],
    ['octave decorations of version 2.0', '+15mb(+c D+15mb)+E', '48@0+1 38@1+1 64@2+1'],
    ['layers of several bars', '(&C4|D4&E4|F4&)|', '60@0+4 64@0+4 62@4+4 65@4+4'],
    ['layers', 'C4 & E2 G2 | c4', '60@0+4 64@0+2 67@2+2 72@4+4'],
    ['quotation marks and accents within annotations', '"^say \\"ab\\""C"^Fr\\"uhling"D', '60@0+1 62@1+1'],
    ['chords that begin with an annotation', '["5"C"1"E]2["x"DF]2', '60@0+2 64@0+2 62@2+2 65@2+2'],
    [
      'accidentals of grace notes hold to the end of the bar',
      '{^f}f g{=g,}^gf|{_B}B2B2|B4',
      '78@0+1 79@1+1 80@2+1 78@3+1 70@4+2 70@6+2 71@8+4',
    ],
    [
      'entities of web pages',
      'C&gt;D E&lt;&lt;F|&quot;Am&quot;C4&amp;E4|',
      '60@0+1.5 62@1.5+0.5 64@2+0.25 65@2.25+1.75 60@4+4 64@4+4',
    ],
    ['! as a line break', '[I:linebreak !]C!D!EF|', '60@0+1 62@1+1 64@2+1 65@3+1'],
    [
      'annotations, decorations, grace notes, slurs and spacers are silent',
      '"Am"!mf!{ge}C ~D (E "^slow".F) Ty |`u vG',
      '60@0+1 62@1+1 64@2+1 65@3+1 67@4+1',
    ],
  ])('%s', (_, music, sound) => expect(play(music)).toBe(sound));
});

describe('repeats', () => {
  test.each([
    ['of a section', '|: C4 :| D4 |', '60@0+4 60@4+4 62@8+4'],
    ['from the beginning', 'C4 :| D4 |', '60@0+4 60@4+4 62@8+4'],
    ['one after another', '|: C4 :: D4 :|', '60@0+4 60@4+4 62@8+4 62@12+4'],
    ['endings', '|: C4 |1 D4 :|2 E4 || F4 |', '60@0+4 62@4+4 60@8+4 64@12+4 65@16+4'],
    [
      'endings in brackets, and for several passes',
      '|: C4 [1,2 D4 :| [3 E4 |]',
      '60@0+4 62@4+4 60@8+4 62@12+4 60@16+4 64@20+4',
    ],
    [
      'after a change of program',
      'E4 ||\n%%MIDI program 3\n|: C4 | D4 :|',
      '64@0+4 60@4+4p3 62@8+4p3 60@12+4p3 62@16+4p3',
    ],
    ['three times', '|: C4 ::| D4 |', '60@0+4 60@4+4 60@8+4 62@12+4'],
    ['after an invisible bar line', '|:C4|D4[|]:|E4|]', '60@0+4 62@4+4 60@8+4 62@12+4 64@16+4'],
    ['after a final bar line', '|:C4|D4|]:|E4|]', '60@0+4 62@4+4 60@8+4 62@12+4 64@16+4'],
    ['with a number at the first ending only', '|:C4|1 D4:|E4|F4|]', '60@0+4 62@4+4 60@8+4 64@12+4 65@16+4'],
    ['with a space or line before the number', '|:C4| 1 D4:|\n2 E4|]', '60@0+4 62@4+4 60@8+4 64@12+4'],
    ['with a colon alone after a bar line', 'C4||\n:D4|E4:|', '60@0+4 62@4+4 64@8+4 62@12+4 64@16+4'],
    ['with a space after a comma', '|:C4|[1, 2 D4:|[3 E4|]', '60@0+4 62@4+4 60@8+4 62@12+4 60@16+4 64@20+4'],
    ['with quoted numbers', '|:C4|["1"D4:|["2."E4|]', '60@0+4 62@4+4 60@8+4 64@12+4'],
    ['with an ending that closes nothing', '|:C4|1D4||2E4||F4|]', '60@0+4 62@4+4 60@8+4 64@12+4 65@16+4'],
    ['without an ending 1', 'C4:|[2D4|]', '60@0+4 60@4+4 62@8+4'],
    ['in one voice of two', 'V:1\n|:C4:|D4|\nV:2\nE4|F4|', '60@0+4 64@0+4 60@4+4 64@4+4 62@8+4 65@8+4'],
  ])('%s', (_, music, sound) => expect(play(music)).toBe(sound));
});

describe('fields', () => {
  test.each([
    ['without L:, the metre gives the unit', 'C', 'M:4/4\nK:C', '60@0+0.5'],
    ['the unit of short bars', 'C', 'M:2/4\nK:C', '60@0+0.25'],
    ['modes', 'F C', 'L:1/4\nK:D mix', '66@0+1 60@1+1'],
    ['minor keys', 'B E', 'L:1/4\nK:Gm', '70@0+1 63@1+1'],
    ['keys with added accidentals', 'F c', 'L:1/4\nK:D =c', '66@0+1 72@1+1'],
    ['octave clefs and transposition', 'C', 'L:1/4\nK:C clef=treble-8', '48@0+1'],
    ['programs', 'C', 'L:1/4\nK:C\n%%MIDI program 5', '60@0+1p5'],
    ['keys beyond seven flats', 'D F A', 'L:1/4\nK:Dbm', '61@0+1 64@1+1 68@2+1'],
    ['keys of accidentals only', 'F B', 'L:1/4\nK:^f _b', '66@0+1 70@1+1'],
    ['explicit keys', 'F B', 'L:1/4\nK:D exp _b', '65@0+1 70@1+1'],
    ['a clef with the name of a note', 'F C', 'L:1/4\nK:D clef=F', '66@0+1 61@1+1'],
    ['middle= changes nothing', 'F B', 'L:1/4\nK:D m=B middle=d', '66@0+1 71@1+1'],
    ['unknown words change nothing', 'F c', 'L:1/4\nK:D shift=GD foo', '66@0+1 73@1+1'],
    ['quoted values are one word', 'F', 'L:1/4\nK:D nm="t=3 clef=bass-8"', '66@0+1'],
    ['a voice of the header without V: in the music', 'C', 'L:1/4\nV:1 clef=bass octave=-1\nK:C', '48@0+1'],
    ['a program after V: in the header', 'C', 'L:1/4\nV:1\n%%MIDI program 3\nV:2\n%%MIDI program 4\nK:C', '60@0+1p3'],
    ['I: is a directive', '^F f', 'L:1/4\nI:propagate-accidentals octave\nK:C', '66@0+1 77@1+1'],
    ['parts in the order of P:', 'P:A\nC|\nP:B\nD|', 'L:1/4\nP:A(BA)2\nK:C', '60@0+1 62@1+1 60@2+1 62@3+1 60@4+1'],
    [
      'parts of all voices',
      'P:A\nV:1\nC|\nV:2\nE|\nP:B\nV:1\nD|\nV:2\nF|',
      'L:1/4\nP:ABA\nK:C',
      '60@0+1 64@0+1 62@1+1 65@1+1 60@2+1 64@2+1',
    ],
    ['parts with words', 'P:A. Slow\nC|\nP:B fast\nD|', 'L:1/4\nP:ABA\nK:C', '60@0+1 62@1+1 60@2+1'],
    [
      'parts that only the first voice names',
      'V:1\nP:A\nC|\nP:B\nD|\nV:2\nE|F|',
      'L:1/4\nP:ABA\nK:C',
      '60@0+1 64@0+1 62@1+1 65@1+1 60@2+1 64@2+1',
    ],
    [
      'macros that begin alike, and one that replaces another',
      '~G3~G',
      'L:1/4\nm:~G=A\nm:~G=B\nm:~G3=GA\nK:C',
      '67@0+1 69@1+1 71@2+1',
    ],
    [
      'macros',
      '~G2 n2|~c3',
      'L:1/4\nm:~G2=G{A}G\nm:n2=C D\nm:~n3=n//m//n2\nK:C',
      '67@0+1 67@1+1 60@2+1 62@3+1 72@4+0.25 71@4.25+0.25 72@4.5+2',
    ],
    ['percussion maps', 'C F', 'L:1/4\n%%MIDI drummap C 36\n%%percmap F 38\nK:C perc', 'd36@0+1 d38@1+1'],
    ['percussion sounds by name', '^gz', 'L:1/4\n%%percmap ^g closed-hi-hat\nK:C perc', 'd42@0+1'],
    ['drums', 'C,,', 'L:1/4\nK:C\n%%MIDI channel 10', 'd36@0+1'],
  ])('%s', (_, music, fields, sound) => expect(play(music, fields)).toBe(sound));

  test('an inline field applies from its position onward', () => {
    expect(play('C [L:1/8] C [K:D] F [I:MIDI program 7] F')).toBe('60@0+1 60@1+0.5 66@1.5+0.5 66@2+0.5p7');
  });

  test('a clef without an octave ends the shift of the clef before, and of nothing else', () => {
    const music = '[K:C clef=treble+8 octave=-1]C4|[K:C clef=treble]C4|[K:D]C4|';
    expect(play(music)).toBe('60@0+4 48@4+4 49@8+4');
  });

  test('voices sound the same interleaved or one after another', () => {
    const consecutive = 'V:1\nC4|D4|\nV:2\n%%MIDI program 3\nE4|F4|';
    const interleaved = 'V:1\nV:2\n%%MIDI program 3\n[V:1]C4|[V:2]E4|\n[V:1]D4|[V:2]F4|';
    expect(play(consecutive)).toBe('60@0+4 64@0+4p3 62@4+4 65@4+4p3');
    expect(play(interleaved)).toBe(play(consecutive));
  });

  test.each([
    ['Q:1/4=90', 666_667],
    ['Q:3/8=60', 666_667],
    ['Q:"Allegro" 1/8=120', 1_000_000],
    ['Q:100', 600_000],
    ['Q:C=100', 600_000],
    ['Q:C3=40', 500_000],
    ['Q: 1/4 = 120.5', 497_925],
    ['Q:120 "fast"', 500_000],
    ['Q:"Allegro"', 500_000],
    ['Q:', 500_000],
    ['Q:1/4=ca. 90', 666_667, 'is read as 90 a minute'],
    ['Q:1/4=c120', 500_000, 'is read as 120 a minute'],
    ['Q:1/4=80-90', 750_000, 'is read as 80 a minute'],
    ['Q:3/8=80..90 "slow"', 500_000, 'is read as 80 a minute'],
    ['Q:Allegro 1/8=90', 1_333_333, 'is read as 90 a minute'],
    ['Q:1/4=90 bpm', 666_667, 'is read as 90 a minute'],
    ['Q:1/4: 90', 666_667, 'is read as 90 a minute'],
    ['Q:Andante (72)', 833_333, 'is read as 72 a minute'],
    ['Q:Allegro', 500_000, 'cannot be read, passed over'],
    ['Q:1/4=1/8', 500_000, 'cannot be read, passed over'],
    ['Q:90=1/4', 500_000, 'cannot be read, passed over'],
    ['Q:Reel 2, from a manuscript of 1843', 500_000, 'cannot be read, passed over'],
    ['Q:1/4=0', 500_000, 'cannot be read, passed over'],
    ['Q:1/0=90', 500_000, 'cannot be read, passed over'],
  ])('tempo: %s', (field, microseconds, remark?: string) => {
    const { problems, remarks, toMidi } = readAbc(`X:1\nM:4/4\nL:1/4\n${field}\nK:C\nC4|\n`);
    expect(readMidi(toMidi()).sequence.tempos).toEqual([{ tick: 0, microsecondsPerBeat: microseconds }]);
    expect(problems).toEqual([]);
    expect(remarks.map(({ message }) => message)).toEqual(
      remark === undefined ? [] : [`the tempo "${field.replaceAll('"', '')}" ${remark}`.replace('Q: ', 'Q:')],
    );
  });

  test('a tempo that cannot be read leaves the one before', () => {
    const { tempos } = readMidi(abcToMidi('X:1\nM:4/4\nL:1/4\nQ:1/4=90\nQ:Slow\nK:C\nC4|[Q:faster]D4|\n')).sequence;
    expect(tempos).toEqual([{ tick: 0, microsecondsPerBeat: 666_667 }]);
  });

  test('metre and key are written to the file, and an upbeat gets a metre of its length', () => {
    const { metres, keys } = readMidi(abcToMidi('X:1\nM:6/8\nL:1/8\nK:Em\nB|e3 g3|\n')).sequence;
    expect(metres.map(({ numerator, denominator }) => `${numerator}/${denominator}`)).toEqual(['1/8', '6/8']);
    expect(keys).toEqual([{ tick: 0, fifths: 1, minor: true }]);
  });
});

describe('faulty text', () => {
  test('a full bar ends with its line, where a bar line was left out', () => {
    const { metres } = readMidi(abcToMidi('X:1\nM:4/4\nL:1/4\nK:C\nCDEF\nGABc|CD\nEF|\n')).sequence;
    expect(metres.map(({ numerator, denominator }) => `${numerator}/${denominator}`)).toEqual(['4/4']);
  });

  test('is skipped, and the readable parts are played', () =>
    expect(play('C ]§ D "unclosed E')).toMatch(/^60@0\+1 62@1\+1/));
  test.each(['', 'hello', 'X:1\nK:C\nz4|\n'])('%j has no note, which is a MusicError', (text) => {
    expect(() => abcToMidi(text)).toThrow(MusicError);
    expect(() => abcToMidi(text)).toThrow(/no note/);
  });
  test('only the first tune of a file is played', () => {
    expect(heard(abcToMidi('X:1\nL:1/4\nK:C\nC|\n\nX:2\nL:1/4\nK:C\nG|\n'))).toBe('60@0+1');
  });
});
