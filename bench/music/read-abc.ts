/**
 * Compares how ABC of people is read with abc2midi (Debian: abcmidi) and abcjs: problems, notes, time.
 *
 *   npx tsx bench/music/read-abc.ts FOLDER [every = 1]
 *
 * FOLDER: .abc files with one tune or many, in any depth. Takes every `every`-th tune, and prints Markdown.
 *
 * abc2midi plays grace notes and chord symbols unless it is told not to, begins the notes of a chord one after another,
 * plays rolls and trills, shortens
 * staccato, lengthens fermatas, and swings hornpipes. All that is turned off. Where its notes differ from ours, abcjs is asked too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import abcjs from 'abcjs';
import { decodeAbc, fileHeader, splitTunes } from '../../lib/corpus/conversion/tune-book.ts';
import { abcToMidi, checkAbc, MusicError, rewriteAbc } from '../../lib/music/index.ts';
import { type HeardNote, hearMidi, noteF1 } from '../../test/music/note-f1.ts';
import { abc2midi } from './peers.ts';

const [folder, every = '1'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Usage: npx tsx bench/music/read-abc.ts FOLDER [every = 1]');
  process.exit(2);
}

interface AbcTune {
  folder: string;
  name: string;
  text: string;
}

function readTunes(): AbcTune[] {
  const tunes: AbcTune[] = [];
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.abc$/i.test(path)) continue;
    const text = decodeAbc(readFileSync(join(folder, path)));
    const header = fileHeader(text.split(/^X:/m)[0]);
    for (const [i, tune] of splitTunes(text).entries()) {
      tunes.push({
        folder: path.split('/')[0],
        name: `${path} ${i + 1}`,
        text: header === '' ? tune : `${header}\n${tune}`,
      });
    }
  }
  return tunes.filter((_, i) => i % Number(every) === 0);
}

function forAbc2midi(text: string): string {
  const plain = text.replace(/^R:.*$/gm, '%').replace(/^K:/m, '%%MIDI chordattack 0\nK:');
  return plain.replace(/^(?![A-Za-z]:|%).*$/gm, (line) =>
    line.replace(/"[^"]*"|![^!]*!|[~T]|\.(?!\|)/g, (part) => (part.length > 1 ? part : '')),
  );
}

/** The notes that abcjs plays; undefined if it cannot. */
function hearAbcjs(text: string): HeardNote[] | undefined {
  try {
    const [visual] = abcjs.parseOnly(text);
    // A data URL whose bytes are characters or %4D.
    const url = abcjs.synth.getMidiFile(visual, { midiOutputType: 'encoded', chordsOff: true }) as unknown as string;
    const bytes = url
      .slice(url.indexOf(',') + 1)
      .replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    return hearMidi(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}

interface Counts {
  tunes: number;
  /** without any problem */
  clean: number;
  /** with nothing but bars of other lengths and loose ties */
  kept: number;
  refused: number;
  abc2midiClean: number;
  abcjsClean: number;
  /** tunes with an F1 of .99 or more between abc2midi's notes and ours */
  agree: number;
  f1: number;
  /** of the others: those in which abcjs is nearer to us, and nearer to abc2midi */
  withUs: number;
  withAbc2midi: number;
}

const NONE: Readonly<Counts> = {
  tunes: 0,
  clean: 0,
  kept: 0,
  refused: 0,
  abc2midiClean: 0,
  abcjsClean: 0,
  agree: 0,
  f1: 0,
  withUs: 0,
  withAbc2midi: 0,
};
const counts = new Map<string, Counts>();
const kinds = new Map<string, number>();
const differing: string[] = [];
const cpu = { ours: 0, abcjs: 0 };
const spent = (run: () => unknown): number => {
  const began = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
};

for (const { folder: name, name: place, text } of readTunes()) {
  const count = counts.get(name) ?? { ...NONE };
  counts.set(name, count);
  count.tunes++;
  let midi: Uint8Array | undefined;
  cpu.ours += spent(() => {
    const problems = checkAbc(text);
    if (problems.length === 0) count.clean++;
    for (const kind of new Set(problems.map((problem) => problem.kind))) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    try {
      midi = abcToMidi(text);
      rewriteAbc(text);
      count.kept++;
    } catch (error) {
      if (!(error instanceof MusicError)) throw error;
      count.refused++;
    }
  });
  cpu.abcjs += spent(() => {
    try {
      if ((abcjs.parseOnly(text)[0]?.warnings ?? []).length === 0) count.abcjsClean++;
    } catch {
      // counted as a text with warnings
    }
  });
  const theirs = abc2midi(forAbc2midi(text), ['-NGRA', '-NGUI', '-NFER']);
  if (theirs.errors.length === 0) count.abc2midiClean++;
  if (midi === undefined || theirs.midi === undefined) continue;
  const [a, b] = [hearMidi(midi), hearMidi(theirs.midi)];
  const f1 = noteF1(a, b);
  count.f1 += f1;
  if (f1 >= 0.99) {
    count.agree++;
    continue;
  }
  const c = hearAbcjs(text);
  const side = c === undefined ? 0 : noteF1(a, c) - noteF1(b, c);
  if (side > 0.005) count.withUs++;
  else if (side < -0.005) count.withAbc2midi++;
  differing.push(`${place} ${f1.toFixed(3)} ${side > 0.005 ? 'ours' : side < -0.005 ? 'abc2midi' : '-'}`);
}

const total = [...counts.values()].reduce(
  (sum, one) => {
    for (const key of Object.keys(one) as (keyof Counts)[]) sum[key] += one[key];
    return sum;
  },
  { ...NONE },
);
console.log(
  '| collection | tunes | checkAbc: no problem | rewritten | abc2midi: no Error | abcjs: no warning | F1 with abc2midi | .99 or more | else abcjs nearer to ours, to abc2midi |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
for (const [name, c] of [...counts, ['all', total] as const]) {
  console.log(
    `| ${name} | ${c.tunes} | ${c.clean} | ${c.kept} | ${c.abc2midiClean} | ${c.abcjsClean} | ${(c.f1 / c.tunes).toFixed(4)} | ${c.agree} | ${c.withUs}, ${c.withAbc2midi} |`,
  );
}
console.log(`\ntunes with a problem, by kind: ${[...kinds].map(([kind, n]) => `${kind} ${n}`).join(', ')}`);
console.log(
  `CPU ms a tune: check, play and rewrite ${(cpu.ours / total.tunes).toFixed(2)}, abcjs parseOnly ${(cpu.abcjs / total.tunes).toFixed(2)}`,
);
console.log(`\nUnder .99:\n${differing.join('\n')}`);
