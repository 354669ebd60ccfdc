/**
 * Compares the conversion between MIDI and ABC with abcmidi and abcjs: speed, large files, a large corpus, fidelity,
 * size, acceptance, and agreement on intact and damaged text.
 *
 *   npx tsx bench/music/index.ts ../shared/corpus [every = 1]
 *
 * Prints Markdown. abcjs is slow, so it gets only every `every`-th file. Missing peers are named and skipped.
 * Everything except the convert stage runs on one thread. The folder edge-cases is left out, because its files are
 * faulty on purpose.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { abcToMidi, checkAbc, MusicError, midiToAbc, trimToCompleteBars } from '../../lib/music/index.ts';
import { mutateAbc, random } from '../../test/music/fuzz.ts';
import { hearMidi, noteF1 } from '../../test/music/note-f1.ts';
import { corpusStage } from './corpus-stage.ts';
import { abc2midi, abcjsWarnings, has, midi2abc, secondsToRun } from './peers.ts';

const [corpus = '../shared/corpus', every = '1'] = process.argv.slice(2);
/** Rounds over the corpus before the timed ones, in which V8 compiles the code. */
const WARM_ROUNDS = 2;
/** Rounds over the corpus that are timed. */
const TIMED_ROUNDS = 3;
/** In beats. */
const FINE_TOLERANCE = 1 / 48;
/** the number of damaged texts for the comparison of the checkers */
const DAMAGED = 1000;

interface Tune {
  folder: string;
  path: string;
  midi: Uint8Array;
  abc: string;
  f1: number;
  /** with a tolerance of 1/48 beat, which tells triplets from sixteenths of a beat */
  fineF1: number;
  notes: number;
}

function readCorpus(): Tune[] {
  const tunes: Tune[] = [];
  for (const entry of readdirSync(corpus, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === 'edge-cases') continue;
    for (const name of readdirSync(join(corpus, entry.name))) {
      if (!/\.midi?$/i.test(name)) continue;
      const path = join(corpus, entry.name, name);
      const midi = Uint8Array.from(readFileSync(path));
      try {
        const { abc, notes } = midiToAbc(midi);
        const [original, played] = [hearMidi(midi), hearMidi(abcToMidi(abc))];
        const [f1, fineF1] = [noteF1(original, played), noteF1(original, played, FINE_TOLERANCE)];
        tunes.push({ folder: entry.name, path, midi, abc, f1, fineF1, notes });
      } catch (error) {
        if (!(error instanceof MusicError)) throw error;
        console.log(`${path}: refused: ${error.message}`);
      }
    }
  }
  return tunes;
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const row = (...cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);

function fidelity(tunes: Tune[], withMidi2abc: boolean): void {
  console.log('\n## Round trip and size\n');
  const columns = ['folder', 'files', 'F1, mean', 'F1 at 1/48', 'files over .99', 'fixed point', 'bytes of ABC'];
  columns.push('bytes a note', 'midi2abc', 'ratio');
  row(...columns);
  row(...columns.map(() => '---'));
  for (const folder of [...new Set(tunes.map((tune) => tune.folder)), 'all']) {
    const part = folder === 'all' ? tunes : tunes.filter((tune) => tune.folder === folder);
    const bytes = part.reduce((sum, { abc }) => sum + abc.length, 0);
    const midi2abcBytes = withMidi2abc ? part.reduce((sum, { path }) => sum + midi2abc(path).length, 0) : Number.NaN;
    const fixed = part.filter(({ abc }) => midiToAbc(abcToMidi(abc)).abc === abc).length;
    const over = part.filter(({ f1 }) => f1 > 0.99).length / part.length;
    row(
      folder,
      part.length,
      mean(part.map(({ f1 }) => f1)).toFixed(5),
      mean(part.map(({ fineF1 }) => fineF1)).toFixed(5),
      percent(over),
      fixed,
      bytes,
      (bytes / part.reduce((sum, { notes }) => sum + notes, 0)).toFixed(2),
      midi2abcBytes,
      (bytes / midi2abcBytes).toFixed(2),
    );
  }
  for (const { path, f1 } of tunes) if (f1 <= 0.99) console.log(`\nUnder .99: ${path} ${f1.toFixed(4)}`);
}

function speed(tunes: Tune[], withMidi2abc: boolean): void {
  console.log('\n## Speed, one thread\n');
  row('', 'CPU ms per file', 'wall ms per file', 'files per CPU second');
  row('---', '---', '---', '---');
  const speedRow = (name: string, cpu: number, wall: number) =>
    row(name, cpu.toFixed(2), wall.toFixed(2), (1000 / cpu).toFixed(0));
  const timed = (name: string, run: (tune: Tune) => void) => {
    for (let round = 0; round < WARM_ROUNDS; round++) tunes.forEach(run);
    const began = { cpu: process.cpuUsage(), wall: performance.now() };
    for (let round = 0; round < TIMED_ROUNDS; round++) tunes.forEach(run);
    const { user, system } = process.cpuUsage(began.cpu);
    const calls = tunes.length * TIMED_ROUNDS;
    speedRow(`${name}, in process`, (user + system) / 1000 / calls, (performance.now() - began.wall) / calls);
  };
  timed('midiToAbc', ({ midi }) => midiToAbc(midi));
  timed('abcToMidi', ({ abc }) => abcToMidi(abc));
  if (!withMidi2abc) return;
  const paths = tunes.map(({ path }) => path);
  for (const [name, program] of [
    ['midi2abc, one process per file', 'midi2abc'],
    ['of this, starting a process (`/bin/true`)', '/bin/true'],
  ]) {
    const { cpu, wall } = secondsToRun(program, paths);
    speedRow(name, (1000 * cpu) / paths.length, (1000 * wall) / paths.length);
  }
}

function largeFile(tunes: Tune[]): void {
  // A file of format 1 made of the largest files' tracks.
  const tracks: Buffer[] = [];
  let size = 0;
  for (const { midi } of [...tunes].sort((a, b) => b.midi.length - a.midi.length)) {
    if (size > 2_000_000) break;
    tracks.push(Buffer.from(midi.subarray(14)));
    size += midi.length;
  }
  const header = Buffer.from([0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 1, 0, 0, 1, 0xe0]);
  const file = Buffer.concat([header, ...tracks]);
  const began = process.cpuUsage();
  const { notes } = midiToAbc(file);
  const { user, system } = process.cpuUsage(began);
  const seconds = (user + system) / 1e6;
  console.log(
    `\nA MIDI file of ${(size / 1e6).toFixed(1)} MB, ${notes} notes: ${seconds.toFixed(2)} s of CPU time; memory of the process ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
  );
}

async function acceptance(tunes: Tune[]): Promise<void> {
  console.log('\n## Acceptance and agreement\n');
  if (has('abc2midi')) {
    const agreement: number[] = [];
    let refused = 0;
    for (const { abc } of tunes) {
      // Without this directive, abc2midi begins each note of a chord a little after the one before.
      const { midi, errors } = abc2midi(abc.replace('\nK:', '\n%%MIDI chordattack 0\nK:'));
      if (errors.length > 0) refused++;
      agreement.push(midi === undefined ? 0 : noteF1(hearMidi(abcToMidi(abc)), hearMidi(midi)));
    }
    console.log(
      `abc2midi: ${percent(1 - refused / tunes.length)} of ${tunes.length} tunes without an Error line; F1 between its MIDI and ours ${mean(agreement).toFixed(6)}`,
    );
  } else console.log('abc2midi is not installed (Debian: abcmidi): left out');
  const warningsOf = await abcjsWarnings();
  if (warningsOf === undefined) {
    console.log('abcjs is not installed: left out');
    return;
  }
  const sample = tunes.filter((_, i) => i % Number(every) === 0);
  const clean = sample.filter(({ abc }) => warningsOf(abc).length === 0).length;
  console.log(`\nabcjs: ${percent(clean / sample.length)} of ${sample.length} tunes without a warning`);
}

/** Counts the damaged texts that each checker rejects, and those that only the peers reject. */
async function damaged(tunes: Tune[]): Promise<void> {
  const warningsOf = await abcjsWarnings();
  if (warningsOf === undefined || !has('abc2midi')) return;
  const seeds = tunes
    .filter((_, i) => i % 30 === 0)
    .map(({ abc }) => trimToCompleteBars(abc.split('\n').slice(0, 60).join('\n')).abc);
  const next = random(1);
  const counts = { checkAbc: 0, abcjs: 0, abc2midi: 0, missed: 0 };
  for (let i = 0; i < DAMAGED; i++) {
    const abc = mutateAbc(seeds, next);
    const ours = checkAbc(abc).length > 0;
    const abcjs = warningsOf(abc).length > 0;
    const theirs = abc2midi(abc).errors.length > 0;
    counts.checkAbc += Number(ours);
    counts.abcjs += Number(abcjs);
    counts.abc2midi += Number(theirs);
    counts.missed += Number(!ours && (abcjs || theirs));
  }
  console.log(
    `\nOf ${DAMAGED} damaged texts, checkAbc rejects ${counts.checkAbc}, abcjs ${counts.abcjs}, abc2midi ${counts.abc2midi}; checkAbc passes ${counts.missed} that abcjs or abc2midi rejects`,
  );
}

const tunes = readCorpus();
if (tunes.length === 0) {
  console.error(
    `no MIDI file could be read in ${corpus}; the argument must be a folder that contains folders of .mid files`,
  );
  process.exit(2);
}
const withMidi2abc = has('midi2abc');
if (!withMidi2abc) console.log('midi2abc is not installed (Debian: abcmidi): left out');
speed(tunes, withMidi2abc);
largeFile(tunes);
corpusStage(tunes.map(({ midi }) => midi));
fidelity(tunes, withMidi2abc);
await acceptance(tunes);
await damaged(tunes);
