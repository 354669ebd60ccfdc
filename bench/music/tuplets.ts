/**
 * Measures what tuplets change: the notes that are kept, and bytes and tokens per note.
 *
 *   npx tsx bench/music/tuplets.ts FOLDER…
 *
 * FOLDER: .mid files in any depth. Performances are left out. F1 is over notes with a tolerance of 1/16 or 1/48 of a
 * beat; F1 of onsets leaves durations out. Tokens are those of BPE with 1,024 ids, and of the music tokenizer, each
 * trained on the texts that it is measured on. Prints Markdown; in each cell without tuplets, and with them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { abcToMidi, MusicError, midiToAbc } from '../../lib/music/index.ts';
import { BpeTokenizer, MusicTokenizer } from '../../lib/tokenizer/index.ts';
import { type HeardNote, hearMidi, noteF1 } from '../../test/music/note-f1.ts';

const FINE = 1 / 48;
const VOCABULARY = 1024;

interface Texts {
  abc: string[];
  notes: number;
  f1: number[];
  fine: number[];
  fineOnsets: number[];
}

const withoutDurations = (notes: HeardNote[]) => notes.map((note) => ({ ...note, duration: 0 }));

function convert(files: { midi: Uint8Array; heard: HeardNote[] }[], tuplets: boolean): Texts {
  const texts: Texts = { abc: [], notes: 0, f1: [], fine: [], fineOnsets: [] };
  for (const { midi, heard } of files) {
    const { abc, notes } = midiToAbc(midi, { tuplets });
    const played = hearMidi(abcToMidi(abc));
    texts.abc.push(abc);
    texts.notes += notes;
    texts.f1.push(noteF1(heard, played));
    texts.fine.push(noteF1(heard, played, FINE));
    texts.fineOnsets.push(noteF1(withoutDurations(heard), withoutDurations(played), FINE));
  }
  return texts;
}

async function tokens(abc: string[]): Promise<{ bpe: number; music: number }> {
  const bpe = await BpeTokenizer.train(abc, { vocabularySize: VOCABULARY, pretokenizer: 'bar', specials: [] });
  const music = await MusicTokenizer.train(abc);
  const count = (tokenizer: { encode(text: string): { length: number } }) =>
    abc.reduce((sum, text) => sum + tokenizer.encode(text).length, 0);
  return { bpe: count(bpe), music: count(music) };
}

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

console.log(
  '| folder | files | with tuplets | F1 | F1 at 1/48 | onsets at 1/48 | bytes a note | BPE tokens | music tokens |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
for (const folder of process.argv.slice(2)) {
  const files: { midi: Uint8Array; heard: HeardNote[] }[] = [];
  let performances = 0;
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.midi?$/i.test(path)) continue;
    const midi = readFileSync(join(folder, path));
    try {
      if (midiToAbc(midi).performance) performances++;
      else files.push({ midi, heard: hearMidi(midi) });
    } catch (error) {
      if (!(error instanceof MusicError)) throw error;
    }
  }
  const [before, after] = [convert(files, false), convert(files, true)];
  const changed = new Set(after.abc.flatMap((text, i) => (/\((?:3|5:4:)/.test(text) ? [i] : [])));
  for (const [name, chosen] of [
    [`${folder}, ${performances} performances left out`, () => true],
    ['of these, with tuplets', (i: number) => changed.has(i)],
  ] as const) {
    const part = <T>(values: T[]) => values.filter((_, i) => chosen(i));
    const pair = (of: (texts: Texts) => number, digits: number) =>
      `${of(before).toFixed(digits)}, ${of(after).toFixed(digits)}`;
    const notes = part(files).reduce((sum, { heard }) => sum + heard.length, 0);
    if (notes === 0) continue;
    const [old, now] = [await tokens(part(before.abc)), await tokens(part(after.abc))];
    const bytes = (texts: Texts) => part(texts.abc).join('').length / notes;
    console.log(
      `| ${name} | ${part(files).length} | ${part(after.abc.map((_, i) => changed.has(i))).filter(Boolean).length} | ` +
        `${pair((t) => mean(part(t.f1)), 4)} | ${pair((t) => mean(part(t.fine)), 4)} | ` +
        `${pair((t) => mean(part(t.fineOnsets)), 4)} | ${pair(bytes, 2)} | ` +
        `${(old.bpe / notes).toFixed(2)}, ${(now.bpe / notes).toFixed(2)} | ` +
        `${(old.music / notes).toFixed(2)}, ${(now.music / notes).toFixed(2)} |`,
    );
  }
}
