/**
 * Measures how well changed versions of a piece are found as its near-duplicates.
 *
 *   npx tsx bench/music/variants.ts FOLDER… [--seed N]
 *
 * FOLDER: .mid files in any depth, each another piece. Each gets versions: another key, half the tempo, swung, played by
 * an imagined pianist, with wrong notes, and all of that together. Prints the share of versions that are found, and how
 * many pairs of different files are taken for versions; some of these are in truth.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { areNearDuplicates } from '../../lib/corpus/splitting/near-duplicates.ts';
import { fingerprint, MusicError, midiToScore, type Score, type ScoreNote, sketchOf } from '../../lib/music/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { random } from '../../test/music/fuzz.ts';

const { positionals, values } = parseOptions(import.meta.url, {
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' } },
});
const next = random(Number(values.seed));
/** A normal deviate, by the sum of twelve uniform ones. */
const normal = () => Array.from({ length: 12 }, next).reduce((a, b) => a + b, -6);

/** Makes, for a score, the change of each of its voices. */
type Change = (score: Score) => (notes: ScoreNote[]) => ScoreNote[];

/** Moves onsets and ends by a function of time, and puts them on the grid again. */
const inTime = (notes: ScoreNote[], step: number, move: (time: number) => number): ScoreNote[] =>
  notes.map((note) => {
    const start = Math.max(0, Math.round(move(note.start) / step) * step);
    const end = Math.round(move(note.start + note.duration) / step) * step;
    return { ...note, start, duration: Math.max(step, end - start) };
  });

const transposed: Change = () => (notes) => notes.map((note) => ({ ...note, pitch: Math.min(127, note.pitch + 5) }));

const half: Change = () => (notes) =>
  notes.map((note) => ({ ...note, start: 2 * note.start, duration: 2 * note.duration }));

const swung: Change =
  ({ unitsPerBeat: beat }) =>
  (notes) =>
    inTime(notes, beat / 12, (time) => {
      const part = (time % beat) / beat;
      return time + beat * (part < 0.5 ? part / 3 : (1 - part) / 3);
    });

/** Another tempo, which wanders by 15 %; each note is early or late by a thirtieth of a beat. */
const played: Change = ({ voices, unitsPerBeat: beat }) => {
  const all = voices.flatMap(({ notes }) => notes);
  const end = all.reduce((latest, { start, duration }) => Math.max(latest, start + duration), 0);
  const times = [0];
  let speed = 0;
  for (let i = 0; i <= end / beat + 1; i++) {
    speed = 0.9 * speed + 0.06 * normal();
    times.push(times[i] + beat * 0.83 * Math.exp(speed));
  }
  const at = (time: number) => {
    const i = Math.floor(time / beat);
    return times[i] + (times[i + 1] - times[i]) * (time / beat - i);
  };
  return (notes) =>
    notes.map((note) => {
      const shift = (normal() * beat) / 30;
      return inTime([note], beat / 16, (time) => at(time) + shift)[0];
    });
};

/** Of a hundred notes, one is left out and two are wrong. */
const wrong: Change = () => (notes) =>
  notes.flatMap((note) => {
    const chance = next();
    if (chance < 0.01) return [];
    return chance < 0.03 ? [{ ...note, pitch: Math.max(0, note.pitch + (next() < 0.5 ? -1 : 2)) }] : [note];
  });

const changes: Record<string, Change[]> = {
  'a fourth up': [transposed],
  'half the tempo': [half],
  swung: [swung],
  played: [played],
  '3 % of the notes wrong or missing': [wrong],
  'played, a fourth up, 3 % wrong': [played, transposed, wrong],
};

function version(score: Score, steps: Change[]): Score {
  let { voices } = score;
  for (const step of steps) {
    const change = step({ ...score, voices });
    const keepsDrums = step === transposed;
    voices = voices.map((voice) => (voice.drum && keepsDrums ? voice : { ...voice, notes: change(voice.notes) }));
  }
  return { ...score, voices };
}

const scores: Score[] = [];
for (const folder of positionals) {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.midi?$/i.test(path)) continue;
    try {
      const { score } = midiToScore(readFileSync(join(folder, path)));
      if (score.voices.reduce((sum, { notes }) => sum + notes.length, 0) >= 32) scores.push(score);
    } catch (error) {
      if (!(error instanceof MusicError)) throw error;
    }
  }
}
const sketches = scores.map(sketchOf);
console.log('| version | found by the sketch | the same fingerprint |\n| --- | --- | --- |');
for (const [name, steps] of Object.entries(changes)) {
  let found = 0;
  let same = 0;
  for (const [i, score] of scores.entries()) {
    const changed = version(score, steps);
    if (areNearDuplicates(sketches[i], sketchOf(changed))) found++;
    if (fingerprint(score) === fingerprint(changed)) same++;
  }
  const share = (count: number) => `${((100 * count) / scores.length).toFixed(1)} %`;
  console.log(`| ${name} | ${share(found)} | ${share(same)} |`);
}
let together = 0;
for (const [i, a] of sketches.entries())
  for (const b of sketches.slice(0, i)) together += Number(areNearDuplicates(a, b));
const pairs = (scores.length * (scores.length - 1)) / 2;
console.log(
  `\n${scores.length} files: ${together} of ${pairs} other pairs (${((1e6 * together) / pairs).toFixed(1)} per million)`,
);
