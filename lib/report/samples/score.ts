/**
 * Lays out ABC as a readable score. Models write interleaved ABC: a line per bar, with all voices ([V:1]…|[V:2]…|).
 *
 *   1. parse the tune (lib/music), and cut its text into bars by the places that the parser found
 *   2. gather the bars by voice
 *   3. write each voice with the name of its instrument, a clef that suits its range, and drums at their staff positions
 *   4. join as many bars per system as fit, at most four
 *
 * Only the drawing uses this text. The page shows the original ABC beside it and plays the MIDI file.
 */
import { parseAbc, positionText, type Tune, type TuneBar, type TuneNote, type TuneVoice } from '../../music/index.ts';
import { DRUM_HEADS, drumPlace } from './drum-notation.ts';
import { INSTRUMENTS } from './instruments.ts';

/** Notes, chords and rests of the busiest voice that fit on a system as wide as the page, and on a phone. */
const SYMBOLS_PER_SYSTEM = { wide: 44, narrow: 14 };
const MAX_BARS_PER_SYSTEM = { wide: 4, narrow: 2 };

/** Note length of a tune without an L: field, as 1/8. */
const DEFAULT_UNIT = 8;

/** Octaves of the parser's positions below middle C (see TuneNote.position). */
const MIDDLE_C_OCTAVE = 5;

/** A bar as written: a part of one line, with the notes and the bar that the parser read there. */
interface BarText {
  text: string;
  /** column of the first character of `text`, counted from 1 */
  column: number;
  /** the notes of the bar, in order of column */
  notes: PlacedNote[];
  /** absent if the piece has neither note nor rest */
  bar: TuneBar | undefined;
}

/** A note, and the chord that it belongs to. */
interface PlacedNote {
  note: TuneNote;
  /** the same for all notes of one chord, in all of the tune */
  chord: string;
}

/** A clef. `octaves` is the transposition of the written notes. The 8 at the clef cancels it. */
interface Clef {
  name: string;
  octaves: number;
}

/**
 * Lays out a tune for drawing.
 *
 * @param abc interleaved ABC, which may have errors
 * @param width `narrow`: fewer bars on a line, for a phone
 * @returns ABC for abcjs; the text itself if it is not interleaved or has no music
 */
export function layOutScore(abc: string, width: 'wide' | 'narrow' = 'wide'): string {
  const lines = abc.split(/\r\n|\n|\r/);
  const tune = parseAbc(abc);
  const voices = barsByVoice(lines, tune);
  if (voices === undefined || voices.size === 0) return abc;
  const unit = unitOf(tune);
  const drawn = [...voices].map(([voice, bars]) => {
    const clef = voice.drum ? { name: 'perc', octaves: 0 } : clefFor(meanOctave(voice));
    return {
      id: voice.id,
      bars: bars.map((bar) => writeBar(bar, voice, clef, unit)),
      declaration: `V:${voice.id} clef=${clef.name} name="${instrumentName(voice)}"`,
    };
  });
  const busiest = Math.max(1, ...tune.voices.flatMap(({ bars }) => bars.map(symbolCount)));
  const fitting = Math.floor(SYMBOLS_PER_SYSTEM[width] / busiest);
  const perSystem = Math.min(MAX_BARS_PER_SYSTEM[width], Math.max(1, fitting));
  const score = [
    ...headerLines(lines, tune),
    ...(tune.voices.some(({ drum }) => drum) ? DRUM_HEADS : []),
    ...drawn.map(({ declaration }) => declaration),
  ];
  const barCount = Math.max(...drawn.map(({ bars }) => bars.length));
  for (let bar = 0; bar < barCount; bar += perSystem)
    for (const { id, bars } of drawn) {
      const system = bars.slice(bar, bar + perSystem);
      if (system.length > 0) score.push(`[V:${id}] ${system.join(' ')}`);
    }
  return `${score.join('\n')}\n`;
}

/** Returns the lines before the music and before the first voice declaration. The layout declares the voices again. */
function headerLines(lines: readonly string[], tune: Tune): string[] {
  const { line } = tune.fields.find(({ letter }) => letter === 'V')!;
  return lines.slice(0, line - 1).filter((text) => text.trim() !== '');
}

/** The bars of each voice; undefined if the tune is not interleaved: if a line of music does not begin with [V:…]. */
function barsByVoice(lines: readonly string[], tune: Tune): Map<TuneVoice, BarText[]> | undefined {
  const inline = tune.fields.filter(
    ({ letter, line, column }) => letter === 'V' && lines[line - 1][column - 1] === '[',
  );
  const [first] = inline;
  if (first === undefined) return undefined;
  const voices = new Map<TuneVoice, BarText[]>(tune.voices.map((voice) => [voice, []]));
  const byId = new Map(tune.voices.map((voice) => [voice.id, voice]));
  for (let line = first.line; line <= lines.length; line++) {
    const text = lines[line - 1];
    if (text.trim() === '') continue;
    const fields = inline.filter((field) => field.line === line);
    if (fields[0]?.column !== 1) return undefined;
    for (const [i, { value, endColumn }] of fields.entries()) {
      const voice = byId.get(value.split(/\s/)[0]);
      const end = fields[i + 1]?.column ?? text.length + 1;
      if (voice) voices.get(voice)!.push(...barsBetween(text, voice, line, endColumn, end));
    }
  }
  return voices;
}

/** Cuts a part of a line into bars of one voice. Text after the last bar line is a bar too. */
function barsBetween(text: string, voice: TuneVoice, line: number, from: number, to: number): BarText[] {
  const ends = voice.bars
    .filter((bar) => bar.endLine === line && bar.endColumn > from && bar.endColumn <= to)
    .map((bar) => bar.endColumn);
  const pieces: BarText[] = [];
  let column = from;
  for (const end of [...ends, to]) {
    const isHere = (place: { line: number; column: number }) =>
      place.line === line && place.column >= column && place.column < end;
    const piece = text.slice(column - 1, end - 1);
    if (piece.trim() !== '')
      pieces.push({ text: piece, column, notes: placedNotes(voice, isHere), bar: voice.bars.find(isHere) });
    column = end;
  }
  return pieces;
}

/** The notes of a voice that are at the given places, in the order of the text. */
function placedNotes(voice: TuneVoice, isHere: (note: TuneNote) => boolean): PlacedNote[] {
  return voice.bars.flatMap(({ layers }, bar) =>
    layers.flatMap(({ notes }, layer) =>
      notes.filter(isHere).map((note) => ({ note, chord: `${bar} ${layer} ${note.start}` })),
    ),
  );
}

/** Writes a bar for drawing: notes at their staff positions, and a bar of rest as a rest with a length. */
function writeBar({ text, column, notes, bar }: BarText, { drum }: TuneVoice, { octaves }: Clef, unit: number): string {
  /** the replacements: the place of the original text, and the new text */
  const changes: { from: number; to: number; by: string }[] = [];
  const drumsOfChord = new Set<string>();
  for (const { note, chord } of notes) {
    const [from, to] = [note.column - column, note.endColumn - column];
    if (drum) {
      // Two drums of a chord at the same place get one note head.
      const place = drumPlace(note.pitch);
      changes.push({ from, to, by: drumsOfChord.has(`${chord} ${place}`) ? '' : place });
      drumsOfChord.add(`${chord} ${place}`);
    } else if (octaves !== 0) {
      const letter = to - positionText(note.position).length;
      changes.push({ from: letter, to, by: positionText(note.position + 7 * octaves) });
    }
  }
  // abcjs draws Z as a rest of several bars, so it is written as one rest of the bar's length.
  const rest = bar === undefined ? -1 : bar.column - column;
  if (bar?.metre && text[rest] === 'Z' && !/\d/.test(text[rest + 1])) {
    const { numerator, denominator } = bar.metre;
    changes.push({ from: rest, to: rest + 1, by: `z${numerator * unit}/${denominator}` });
  }
  let written = '';
  let at = 0;
  for (const { from, to, by } of changes) {
    written += text.slice(at, from) + by;
    at = to;
  }
  return written + text.slice(at);
}

/** The denominator of the note length: 16 for L:1/16. */
function unitOf(tune: Tune): number {
  const field = tune.fields.find(({ letter }) => letter === 'L');
  return Number(field?.value.split('/')[1] ?? DEFAULT_UNIT);
}

/** Notes, chords and rests of the busiest layer of a bar. */
function symbolCount({ layers }: TuneBar): number {
  const counts = layers.map(({ notes, duration }) => {
    let symbols = 0;
    let end = 0;
    for (const { start, duration } of notes) {
      // A gap before a note is a rest. A note at the start of the one before belongs to its chord.
      if (start > end) symbols++;
      if (start >= end) symbols++;
      end = Math.max(end, start + duration);
    }
    return symbols + (duration > end ? 1 : 0);
  });
  return Math.max(...counts);
}

/** Name of a voice's instrument, from its first MIDI program. */
function instrumentName({ drum, program }: TuneVoice): string {
  return drum ? 'Drums' : INSTRUMENTS[program];
}

/** The clef for a mean octave, where 0 is the octave from middle C upwards. */
function clefFor(octave: number): Clef {
  if (octave > 1.7) return { name: 'treble+8', octaves: -1 };
  if (octave >= -0.5) return { name: 'treble', octaves: 0 };
  if (octave >= -1.8) return { name: 'bass', octaves: 0 };
  return { name: 'bass-8', octaves: 1 };
}

/** Mean octave of a voice's notes as written. 0 is the octave from middle C upwards. */
function meanOctave({ bars }: TuneVoice): number {
  const octaves = bars.flatMap(({ layers }) =>
    layers.flatMap(({ notes }) => notes.map(({ position }) => Math.floor(position / 7) - MIDDLE_C_OCTAVE)),
  );
  return octaves.length === 0 ? 0 : octaves.reduce((sum, octave) => sum + octave, 0) / octaves.length;
}
