/** MusicXML becomes the ABC that its notes, bars and signs mean, or a sentence that names the line. */
import { describe, expect, test } from 'vitest';
import { checkAbc, MusicError, musicXmlToAbc, musicXmlToScore } from '../../lib/music/index.ts';
import { mutateXml, random, tryMusicXml } from './fuzz.ts';
import {
  attributes,
  backup,
  barline,
  chord,
  ending,
  forward,
  instrument,
  note,
  notes,
  repeat,
  score,
  seedScore,
  tie,
} from './musicxml-text.ts';

/** The tune without the fields before its key, and without line ends. */
function music(xml: string): string {
  const { abc } = musicXmlToAbc(xml);
  expect(checkAbc(abc)).toEqual([]);
  return abc.slice(abc.indexOf('K:')).replaceAll('\n', '');
}

function warnings(xml: string): string[] {
  return musicXmlToAbc(xml).warnings;
}

describe('notes', () => {
  test('follow one another; chords begin together', () => {
    const xml = score([attributes(2, '4/4', '2 major') + notes('D4 2, F#4 1, z 1, C#5 2') + chord('A3 2, E4 2')]);
    expect(music(xml)).toBe('K:DDF/z/c[A,E]|');
  });

  test('of further voices begin where <backup> and <forward> lead', () => {
    const xml = score([
      attributes(1) + notes('C5 4') + backup(4) + forward(1) + notes('E4 2') + backup(9) + notes('C4 1'),
    ]);
    expect(music(xml)).toBe('K:Cc4&CE2z|');
  });

  test('without sound are grace notes, cue notes and rests with a pitch', () => {
    const grace = '<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note>';
    const pitched =
      '<note><rest><display-step>E</display-step><display-octave>4</display-octave></rest><duration>1</duration></note>';
    const xml = score([
      attributes(1, '4/4', '0 major') + notes('C5 1') + grace + pitched + note('G4 1', '', '<cue/>') + notes('A4 1'),
    ]);
    expect(music(xml)).toBe('K:Ccz2A|');
  });

  test('that are tied are one, over bar lines and staves, and also if only the print has ties', () => {
    const printed = '<notations><tied type="start"/></notations>';
    const xml = score([
      attributes(1) + notes('C5 2') + note('G4 2', tie('start')),
      note('G4 1', tie('stop', 'start')) + note('G4 1', tie('stop')) + note('E4 2', printed),
      note('E4 4', '<notations><tied type="stop"/></notations>'),
    ]);
    expect(music(xml)).toBe('K:Cc2G2-|G2E2-|E4|');
    const staves = score([
      attributes(1) + note('C4 4', `${tie('start')}<staff>2</staff>`),
      note('C4 4', `${tie('stop')}<staff>1</staff>`),
    ]);
    expect(music(staves)).toBe('K:CC4-|C4|');
  });

  test('are tied to the next note of their pitch, also where no note ends the tie', () => {
    const loose = score([attributes(1, '1/4', '0 major') + note('C4 1', tie('start')), note('C4 1', tie('start'))]);
    expect(music(loose)).toBe('K:CC-|C|');
    expect(warnings(loose)).toEqual(['line 12: no note continues this tie']);
  });

  test('of tuplets are exact, also where divisions round them', () => {
    const exact = score([
      attributes(30, '4/4') + notes('C4 10, D4 10, E4 10, C4 6, D4 6, E4 6, F4 6, G4 6, C4 20, D4 20, E4 20'),
    ]);
    expect(music(exact)).toBe('K:C(3C2D2E2(5:4:5CDEFG(3C4D4E4|');
    const rounded = score([attributes(256, '1/4') + notes('C4 85, D4 85, E4 86')]);
    expect(music(rounded)).toBe('K:C(3CDE|');
  });

  test('keep their length where the divisions change', () => {
    const change = '<attributes><divisions>480</divisions></attributes>';
    expect(music(score([attributes(1, '2/4') + notes('C4 1') + change + notes('D4 240, E4 240')]))).toBe('K:CC2DE|');
  });

  test('beyond the range of MIDI are left out with a warning, microtones are rounded', () => {
    const quarter =
      '<note><pitch><step>C</step><alter>0.5</alter><octave>5</octave></pitch><duration>1</duration></note>';
    const xml = score([attributes(1, '3/4') + quarter + notes('G9 1, C9 1').replace('<step>C', '<step>B')]);
    expect(warnings(xml)).toEqual([
      'microtones were rounded to semitones',
      'notes beyond the range of MIDI were left out',
    ]);
  });
});

describe('parts and staves', () => {
  test('are voices: each staff of a part, and its percussion', () => {
    const staff = (n: number) => `<staff>${n}</staff>`;
    const xml = score([
      { measures: [attributes(1, '2/4') + note('C5 2', staff(1)) + backup(2) + note('C3 2', staff(2))] },
      { measures: [attributes(1, '2/4') + notes('G4 2')], instruments: instrument('P2-I1', { program: '41' }) },
    ]);
    expect(music(xml)).toBe('K:CV:1V:2%%MIDI program 40V:3[V:1]c2|[V:2]G2|[V:3]C,2|');
  });

  test('play the instrument that a note names, and that <sound> changes', () => {
    const uses = (id: string) => `<instrument id="${id}"/>`;
    const sound = '<sound><midi-instrument id="b"><midi-program>50</midi-program></midi-instrument></sound>';
    const instruments = instrument('a', { program: '1' }) + instrument('b', { program: '74' });
    const measures = [attributes(1, '3/4') + note('C4 1') + note('D4 1', uses('b')) + sound + note('E4 1', uses('b'))];
    expect(music(score([{ instruments, measures }]))).toBe('K:CC[I:MIDI program 73]D[I:MIDI program 49]E|');
  });

  test('of transposing instruments sound as they do, with the key that sounds', () => {
    const clarinet = '<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>';
    const xml = score([attributes(1, '3/4', '2 major', clarinet) + notes('D5 1, F#5 1, A5 1')]);
    expect(music(xml)).toBe('K:Cceg|');
    const guitar = '<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>';
    expect(music(score([attributes(1, '1/4', '0 major', guitar) + notes('C5 1')]))).toBe('K:CC|');
    const enharmonic = '<transpose><diatonic>0</diatonic><chromatic>1</chromatic></transpose>';
    expect(music(score([attributes(1, '1/4', '5 major', enharmonic) + notes('B4 1')]))).toBe('K:Cc|');
  });

  test('of percussion play the sound that midi-unpitched names, otherwise that of its place on the staff', () => {
    const drum = (place: string, id: string) => {
      const [step, octave] = place;
      const display = `<display-step>${step}</display-step><display-octave>${octave}</display-octave>`;
      return `<note><unpitched>${display}</unpitched><duration>1</duration><instrument id="${id}"/></note>`;
    };
    const instruments =
      instrument('a', { channel: '10', unpitched: '50' }) + instrument('b', { channel: '10', program: '1' });
    const measures = [attributes(1, '3/4') + drum('E4', 'a') + drum('C5', 'b') + drum('F4', 'b')];
    const xml = score([{ instruments, measures }]);
    expect(musicXmlToScore(xml).score.voices).toMatchObject([
      { drum: true, notes: [{ pitch: 49 }, { pitch: 38 }, { pitch: 36 }] },
    ]);
    expect(warnings(xml)).toEqual(['sounds of percussion are not named, and were chosen by their place']);
    const onChannel10 = score([{ instruments, measures: [attributes(1, '1/4') + notes('C4 1')] }]);
    expect(musicXmlToScore(onChannel10).score.voices).toMatchObject([{ drum: true, notes: [{ pitch: 49 }] }]);
  });

  test('have as many bars as the longest part, and bars as long as the longest of them', () => {
    const xml = score([
      { measures: [attributes(1, '2/4') + notes('C5 1'), notes('D5 2')] },
      { measures: [attributes(1, '2/4') + notes('C4 2')] },
    ]);
    expect(music(xml)).toBe('K:CV:1V:2[V:1]cz|[V:2]C2|[V:1]d2|[V:2]Z|');
  });
});

describe('bars', () => {
  test('that are short at the beginning are pickups; an empty measure is as long as its metre', () => {
    expect(music(score([attributes(1, '3/4') + notes('G4 1'), notes('C5 3'), '', notes('C5 3')]))).toBe(
      'K:CG|[M:3/4]c3|Z|c3|',
    );
  });

  test('are as long as their notes: rests do not make them longer than their metre, nor pickups than their notes', () => {
    const xml = score([
      { measures: [attributes(1, '3/4') + notes('G4 1'), notes('z 3, z 3'), notes('C5 1, z 3')] },
      { measures: [attributes(1, '3/4') + notes('z 3'), notes('C4 2, z 1'), notes('C4 3')] },
    ]);
    expect(music(xml)).toBe('K:CV:1V:2[V:1]G|[V:2]Z|[V:1][M:3/4]Z|[V:2][M:3/4]C2z|[V:1]cz2|[V:2]C3|');
  });

  test('have the metre that is written, also one of several sums', () => {
    const time = (content: string) => `<attributes><time>${content}</time></attributes>`;
    const beats = (a: string, b: number) => `<beats>${a}</beats><beat-type>${b}</beat-type>`;
    const xml = score([
      attributes(4, '6/8') + notes('C5 12'),
      time(beats('3+2', 8)) + notes('C5 10'),
      time(beats('3', 8) + beats('2', 4)) + notes('C5 14'),
      time('<senza-misura/>') + notes('C5 6, D5 6'),
    ]);
    expect(music(xml)).toBe('K:Cc6|[M:5/8]c4-c|[M:7/8]c7|[M:3/4]c3d3|');
    expect(warnings(score([attributes(1, '4/5') + notes('C5 4')]))).toEqual([
      'metres that are no sum of notes were passed over',
    ]);
  });

  test('have the key that is written; its mode is chosen by the notes if no key says it', () => {
    const xml = score([
      attributes(1, '3/4', '-1 minor') + notes('D4 3'),
      `<attributes><key><fifths>2</fifths></key></attributes>${notes('D4 3')}`,
    ]);
    expect(music(xml)).toBe('K:DmD3|[K:D]D3|');
    const minor = notes('A4 1, C5 1, E5 1, A4 1, G#4 1, B4 1, E4 1, A4 1');
    expect(music(score([attributes(1, '8/4', 0) + minor]))).toMatch(/^K:Am/);
    expect(music(score([attributes(1, '8/4', '0 major') + minor]))).toMatch(/^K:C/);
    expect(music(score([attributes(1, '8/4', '') + minor]))).toMatch(/^K:Am/);
  });

  test('have the tempo of <sound>, otherwise of the metronome mark', () => {
    const mark =
      '<direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>c. 60</per-minute></metronome></direction-type>';
    const xml = score([
      `${attributes(1, '4/4')}<direction>${mark}</direction>${notes('C5 4')}`,
      `<direction>${mark}<sound tempo="72"/></direction>${notes('D5 4')}`,
    ]);
    expect(musicXmlToAbc(xml).abc).toContain('Q:1/4=90\nK:C\nc4|[Q:1/4=72]d4|');
  });
});

describe('repeats', () => {
  const bars = (signs: (string | undefined)[], names = 'CDEFGAB') =>
    signs.map((sign, i) => (i === 0 ? attributes(1, '1/4', '0 major') : '') + notes(`${names[i]}4 1`) + (sign ?? ''));

  test('are written out: from the beginning, between signs, and as many times as they say', () => {
    const signs = [undefined, barline('right', repeat('backward')), barline('left', repeat('forward'))];
    signs.push(barline('right', repeat('backward', ' times="3"')), undefined);
    expect(music(score(bars(signs)))).toBe('K:CC|D|C|D|E|F|E|F|E|F|G|');
  });

  test('have endings', () => {
    const signs = [
      barline('left', repeat('forward')),
      barline('left', ending('1, 2', 'start')) + barline('right', ending('1, 2', 'stop') + repeat('backward')),
      barline('left', ending('3', 'start')) + barline('right', ending('3', 'discontinue')),
      undefined,
    ];
    expect(music(score(bars(signs)))).toBe('K:CC|D|C|D|C|E|F|');
  });

  test('hold for all parts, wherever their signs are', () => {
    const xml = score([
      { measures: bars([undefined, undefined]) },
      { measures: bars([barline('right', repeat('backward'))], 'GA') },
    ]);
    expect(music(xml)).toBe('K:CV:1V:2[V:1]G|[V:2]C|[V:1]G|[V:2]C|[V:1]Z|[V:2]D|');
  });

  test('that cannot be followed are named', () => {
    const jump = '<direction><sound dacapo="yes"/></direction>';
    const words = '<direction><direction-type><words>D.S. al Coda</words></direction-type></direction>';
    expect(warnings(score(bars([words])))).toEqual(['jumps (da capo, dal segno, to coda) are not played']);
    const middle = barline('middle', repeat('backward'));
    expect(warnings(score(bars([jump + middle])))).toEqual([
      'jumps (da capo, dal segno, to coda) are not played',
      'signs of repeats within a measure are not played',
    ]);
  });
});

describe('documents', () => {
  const body = attributes(1, '1/4') + notes('C5 1');

  test('may be timewise', () => {
    const xml =
      '<score-timewise><measure number="1"><part id="a">MUSIC</part></measure><measure number="2"><part id="b">MUSIC</part></measure></score-timewise>';
    expect(music(xml.replaceAll('MUSIC', body))).toBe('K:CV:1V:2[V:1]c|[V:2]Z|[V:1]Z|[V:2]c|');
  });

  test('may declare entities, which are never inserted', () => {
    const laughs = '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">';
    const declared = score([body]).replace(/<!DOCTYPE[^>]*>/, `<!DOCTYPE score-partwise [${laughs}]>`);
    expect(music(declared.replace('<part-name>x', '<part-name>&b;&c;&eacute;'))).toBe('K:Cc|');
    expect(() => musicXmlToAbc(declared.replace('<step>C', '<step>&c;'))).toThrow(/the <step> of a pitch is "&c;"/);
  });

  const withBody = (content: string) => score([attributes(1) + content]);
  test.each([
    ['no XML', 'MThd', 'line 1, column 5: the XML is not well-formed: text data outside of root node'],
    ['nothing', '', 'line 1, column 1: the XML is not well-formed: document must contain a root element'],
    [
      'a cut text',
      withBody(notes('C5 4')).slice(0, -40),
      'line 9, column 81: the XML is not well-formed: unclosed tag: note',
    ],
    [
      'wrong ends of elements',
      '<score-partwise>\n<a></b>',
      'line 2, column 8: the XML is not well-formed: unexpected close tag',
    ],
    [
      'elements within each other without end',
      `<score-partwise>${'<a>'.repeat(1e5)}`,
      'more than 64 elements within each other',
    ],
    [
      'another kind of document',
      '<svg/>',
      'line 1: the root element is <svg>, not that of a MusicXML score: it must be <score-partwise>',
    ],
    ['a list of scores', '<opus/>', 'an opus only lists the files of scores'],
    ['no note', score([attributes(1) + notes('z 4')]), 'there is no note in it'],
    [
      'a wrong step',
      withBody(notes('C5 4').replace('>C<', '>H<')),
      'line 9: the <step> of a pitch is "H"; it must be one of C to B',
    ],
    ['no octave', withBody(notes('C5 4').replace('<octave>5</octave>', '')), 'line 9: a pitch has no <octave>'],
    [
      'no pitch',
      withBody('<note><duration>4</duration></note>'),
      'line 9: <note> has neither <pitch>, <unpitched> nor <rest>',
    ],
    ['no duration', withBody('<note><rest/></note>'), 'line 9: <note> has no <duration>'],
    ['a duration that is a word', withBody(notes('C5 long')), 'line 9: <duration> has "long" in place of a number'],
    [
      'an endless note',
      withBody(notes('C5 1e9')),
      'line 9: the duration 1000000000 of <note> is more than 64 whole notes',
    ],
    ['a negative duration', withBody(notes('C5 -1')), 'line 9: the duration -1 of <note> is negative'],
    [
      'an endless measure',
      withBody(notes('C5 1') + forward(256).repeat(17)),
      'line 7: this measure is longer than 1024 whole notes',
    ],
    ['no divisions', score([attributes(0) + notes('C5 4')]), 'line 8: <divisions> is 0; it must be more than 0'],
    [
      'a staff too many',
      withBody(note('C5 4', '<staff>33</staff>')),
      'line 9: there is no staff 33; a part has at most 32',
    ],
    ['measures without end', score(Array(50_001).fill('')), 'there are more than 50000 measures'],
  ])('with %s give a sentence', (_, xml, message) => {
    expect(() => musicXmlToAbc(xml)).toThrow(MusicError);
    expect(() => musicXmlToAbc(xml)).toThrow(message);
  });

  test('of which 300 were damaged give a MusicError, or a valid tune that converts to itself', () => {
    const seed = seedScore();
    expect(tryMusicXml(seed)).toBeUndefined();
    const next = random(3);
    for (let i = 0; i < 300; i++) {
      const text = mutateXml(seed, next);
      expect(tryMusicXml(text), `round ${i}: ${text}`).toBeUndefined();
    }
  });
});
