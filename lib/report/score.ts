/**
 * ABC as models write it, laid out as a score for the eye: interleaved bars ([V:1]… [V:2]… a line) are gathered by voice, several to a
 * system, each voice with a clef that suits its range and the name of its instrument. The notes themselves are not touched.
 */
import { INSTRUMENTS } from './instruments.ts';

/** Symbols of the busiest voice that fit a system of the page's width. */
const SYMBOLS_A_SYSTEM = 44;
const MOST_BARS_A_SYSTEM = 4;

interface Voice {
  id: string;
  /** %%MIDI lines, with the voice's own settings */
  settings: string[];
  bars: string[];
}

/** ABC in another layout is returned as it is. */
export function layOutScore(abc: string): string {
  const lines = abc.split(/\r?\n/).filter((line) => line.trim() !== '');
  const music = lines.findIndex((line) => /^\[V:/.test(line));
  if (music < 0) return abc;
  const header: string[] = [];
  const voices: Voice[] = [];
  let current: Voice | undefined;
  const voice = (id: string) => {
    let found = voices.find((candidate) => candidate.id === id);
    if (!found) voices.push((found = { id, settings: [], bars: [] }));
    return found;
  };
  for (const line of lines.slice(0, music)) {
    const declared = /^V:\s*(\S+)/.exec(line);
    if (declared) current = voice(declared[1]);
    else if (current) current.settings.push(line);
    else header.push(line);
  }
  for (const line of lines.slice(music)) {
    const parts = line.split(/(?=\[V:)/);
    for (const part of parts) {
      const match = /^\[V:\s*([^\]\s]+)[^\]]*\](.*)$/.exec(part);
      if (!match) return abc;
      voice(match[1]).bars.push(...barsOf(match[2]));
    }
  }
  const busiest = Math.max(1, ...voices.flatMap(({ bars }) => bars.map(symbols)));
  const perSystem = Math.min(MOST_BARS_A_SYSTEM, Math.max(1, Math.floor(SYMBOLS_A_SYSTEM / busiest)));
  const count = Math.max(...voices.map(({ bars }) => bars.length));
  const out = [...header, ...voices.map(declaration)];
  for (let bar = 0; bar < count; bar += perSystem)
    for (const { id, bars } of voices) {
      const system = bars.slice(bar, bar + perSystem);
      if (system.length > 0) out.push(`[V:${id}] ${system.join(' ')}`);
    }
  return `${out.join('\n')}\n`;
}

/** Each with its bar line. */
function barsOf(text: string): string[] {
  return text.match(/[^|]*(?:\|[\]|:]?|$)/g)!.filter((bar) => bar.trim() !== '');
}

function symbols(bar: string): number {
  return bar.split('&').reduce((most, layer) => Math.max(most, layer.match(/\[[^\]:]*\]|[A-Ga-gzx]/g)?.length ?? 0), 0);
}

function declaration({ id, settings, bars }: Voice): string {
  const drum = settings.some((line) => /%%MIDI\s+channel\s+10\b/.test(line));
  const program = Number(settings.map((line) => /%%MIDI\s+program\s+(\d+)/.exec(line)?.[1]).find(Boolean) ?? 0);
  const clef = drum ? 'perc' : meanOctave(bars) < -0.4 ? 'bass' : 'treble';
  return `V:${id} clef=${clef} name="${drum ? 'Drums' : (INSTRUMENTS[program] ?? 'Piano')}"`;
}

/** Of the notes as written; 0 is the octave from middle C up. */
function meanOctave(bars: readonly string[]): number {
  const notes =
    bars
      .join('')
      .replace(/\[[A-Z]:[^\]]*\]/g, '')
      .match(/[A-Ga-g][,']*/g) ?? [];
  const octaves = notes.map(
    (note) => (/[a-g]/.test(note) ? 1 : 0) + (note.match(/'/g)?.length ?? 0) - (note.match(/,/g)?.length ?? 0),
  );
  return octaves.length === 0 ? 0 : octaves.reduce((sum, octave) => sum + octave, 0) / octaves.length;
}
