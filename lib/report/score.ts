/**
 * ABC as models write it, laid out as a score for the eye: interleaved bars ([V:1]… [V:2]… a line) are gathered by voice, several to a
 * system; each voice has the name of its instrument and a clef that suits its range; drums stand on their places of the staff.
 */
import { DRUM_HEADS, drumBar } from './drum-notation.ts';
import { INSTRUMENTS } from './instruments.ts';

/** Symbols of the busiest voice that fit a system of the page's width. */
const SYMBOLS_A_SYSTEM = 44;
const MOST_BARS_A_SYSTEM = 4;

interface Voice {
  id: string;
  /** the lines after its declaration: %%MIDI and the like */
  settings: string[];
  bars: string[];
}

/** How a voice is drawn; `octaves` up is where its notes are drawn, with the 8 at its clef that says so. */
interface Clef {
  name: string;
  octaves: number;
}

/** Tunes in another layout are returned as they are. */
export function layOutScore(abc: string): string {
  const parsed = parseInterleaved(abc);
  if (parsed === undefined) return abc;
  const { header, voices } = parsed;
  const drawn = voices.map((voice) => {
    const drum = isDrum(voice);
    const clef = drum ? { name: 'perc', octaves: 0 } : clefFor(meanOctave(voice.bars));
    const bars = withRests(voice.bars, header).map((bar) => (drum ? drumBar(bar) : shift(bar, clef.octaves)));
    return { id: voice.id, bars, declaration: `V:${voice.id} clef=${clef.name} name="${instrument(voice)}"` };
  });
  const busiest = Math.max(1, ...drawn.flatMap(({ bars }) => bars.map(symbols)));
  const perSystem = Math.min(MOST_BARS_A_SYSTEM, Math.max(1, Math.floor(SYMBOLS_A_SYSTEM / busiest)));
  const lines = [...(voices.some(isDrum) ? DRUM_HEADS : []), ...drawn.map(({ declaration }) => declaration)];
  const count = Math.max(...drawn.map(({ bars }) => bars.length));
  for (let bar = 0; bar < count; bar += perSystem)
    for (const { id, bars } of drawn) {
      const system = bars.slice(bar, bar + perSystem);
      if (system.length > 0) lines.push(`[V:${id}] ${system.join(' ')}`);
    }
  return `${[...header, ...lines].join('\n')}\n`;
}

function parseInterleaved(abc: string): { header: string[]; voices: Voice[] } | undefined {
  const lines = abc.split(/\r?\n/).filter((line) => line.trim() !== '');
  const music = lines.findIndex((line) => line.startsWith('[V:'));
  if (music < 0) return undefined;
  const header: string[] = [];
  const voices = new Map<string, Voice>();
  const voice = (id: string): Voice => {
    const found = voices.get(id) ?? { id, settings: [], bars: [] };
    voices.set(id, found);
    return found;
  };
  let settings = header;
  for (const line of lines.slice(0, music)) {
    const declared = /^V:\s*(\S+)/.exec(line);
    if (declared) settings = voice(declared[1]).settings;
    else settings.push(line);
  }
  for (const line of lines.slice(music))
    for (const part of line.split(/(?=\[V:)/)) {
      const match = /^\[V:\s*([^\]\s]+)[^\]]*\](.*)$/.exec(part);
      if (!match) return undefined;
      voice(match[1]).bars.push(...barsOf(match[2]));
    }
  return { header, voices: [...voices.values()] };
}

/** Each with its bar line. */
function barsOf(text: string): string[] {
  return (text.match(/[^|]*(?:\|[\]|:]?|$)/g) ?? []).filter((bar) => bar.trim() !== '');
}

/** Z, a bar of rest, as the rest that fills the bar: engravers keep the other sign for several bars. */
function withRests(bars: readonly string[], header: readonly string[]): string[] {
  const field = (letter: string) =>
    header
      .find((line) => line.startsWith(`${letter}:`))
      ?.slice(2)
      .trim() ?? '';
  const unit = Number(/^1\/(\d+)$/.exec(field('L'))?.[1] ?? 8);
  let metre = field('M');
  return bars.map((bar) => {
    metre = /\[M:([^\]]*)\]/.exec(bar)?.[1] ?? metre;
    const [, beats, beat] = /^(\d+)\/(\d+)$/.exec(metre) ?? [];
    return beats === undefined ? bar : bar.replace(/Z1?(?=\s*\|)/, `z${Number(beats) * unit}/${beat}`);
  });
}

/** Notes, chords and rests of the busiest layer. */
function symbols(bar: string): number {
  const layers = bar.split('&').map((layer) => layer.match(/\[[^\]:]*\]|[A-Ga-gzx]/g)?.length ?? 0);
  return Math.max(...layers);
}

function isDrum({ settings }: Voice): boolean {
  return settings.some((line) => /^%%MIDI\s+channel\s+10\b/.test(line));
}

function instrument(voice: Voice): string {
  if (isDrum(voice)) return 'Drums';
  const program = voice.settings.map((line) => /^%%MIDI\s+program\s+(\d+)/.exec(line)?.[1]).find(Boolean);
  return INSTRUMENTS[Number(program ?? 0)] ?? 'Piano';
}

function clefFor(octave: number): Clef {
  if (octave > 1.7) return { name: 'treble+8', octaves: -1 };
  if (octave >= -0.5) return { name: 'treble', octaves: 0 };
  if (octave >= -1.8) return { name: 'bass', octaves: 0 };
  return { name: 'bass-8', octaves: 1 };
}

const NOTE = /\[[A-Za-z]:[^\]]*\]|"[^"]*"|([A-Ga-g])([,']*)/g;

/** Of the notes as written; 0 is the octave from middle C up. */
function meanOctave(bars: readonly string[]): number {
  const octaves = [...bars.join('').matchAll(NOTE)].flatMap(([, letter, marks]) =>
    letter === undefined ? [] : [octaveOf(letter, marks)],
  );
  return octaves.length === 0 ? 0 : octaves.reduce((sum, octave) => sum + octave, 0) / octaves.length;
}

function octaveOf(letter: string, marks: string): number {
  return (letter >= 'a' ? 1 : 0) + marks.split("'").length - marks.split(',').length;
}

function shift(bar: string, octaves: number): string {
  if (octaves === 0) return bar;
  return bar.replace(NOTE, (text, letter, marks) => {
    if (letter === undefined) return text;
    const octave = octaveOf(letter, marks) + octaves;
    return octave > 0 ? letter.toLowerCase() + "'".repeat(octave - 1) : letter.toUpperCase() + ','.repeat(-octave);
  });
}
