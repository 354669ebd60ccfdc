/**
 * Measures how often the key that is estimated from the notes is the written one.
 *
 *   npx tsx bench/music/keys.ts FOLDER…
 *
 * FOLDER: .abc files with one tune or many, and .mid files, in any depth. Music counts if it has one key from the
 * beginning to the end; in MIDI that is every file with one key signature. Modes other than major and minor count as
 * the signature alone. Prints Markdown. The profiles of Krumhansl and Kessler (1982) are the comparison.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeAbc, fileHeader, splitTunes } from '../../lib/corpus/conversion/tune-book.ts';
import { detectKey, type Key, parseAbc, pitchClassDurations, readAbc, readMidi } from '../../lib/music/index.ts';

const MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR = [6.33, 2.68, 3.52, 5.38, 2.6, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];
/** Signatures by pitch class of the major tonic. */
const FIFTHS = [0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5];
/** Fewer notes say little about a key. */
const MIN_NOTES = 16;

interface Piece {
  /** undefined minor: a mode, of which only the signature is compared */
  key: { fifths: number; minor: boolean | undefined };
  durations: readonly number[];
}

/** Pearson's r of the durations, from a tonic up, and a profile. */
function correlation(durations: readonly number[], profile: number[], tonic: number): number {
  const turned = profile.map((_, i) => durations[(tonic + i) % 12]);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / 12;
  const [d, p] = [mean(turned), mean(profile)];
  const sum = (f: (i: number) => number) => profile.reduce((total, _, i) => total + f(i), 0);
  return (
    sum((i) => (turned[i] - d) * (profile[i] - p)) /
    Math.sqrt(sum((i) => (turned[i] - d) ** 2) * sum((i) => (profile[i] - p) ** 2))
  );
}

function krumhanslKessler(durations: readonly number[]): Key {
  let best: Key & { fit: number } = { fifths: 0, minor: false, fit: -2 };
  for (let tonic = 0; tonic < 12; tonic++) {
    for (const minor of [false, true]) {
      const fit = correlation(durations, minor ? MINOR : MAJOR, tonic);
      if (fit > best.fit) best = { fifths: FIFTHS[(tonic + (minor ? 3 : 0)) % 12], minor, fit };
    }
  }
  return best;
}

function piecesOfAbc(text: string): Piece[] {
  const header = fileHeader(text.split(/^X:/m)[0]);
  return splitTunes(text).flatMap((tune) => {
    const whole = header === '' ? tune : `${header}\n${tune}`;
    const fields = parseAbc(whole).fields.filter(({ letter }) => letter === 'K');
    if (fields.length !== 1) return [];
    try {
      const { toMidi, notes } = readAbc(whole);
      if (notes < MIN_NOTES) return [];
      const { sequence } = readMidi(toMidi());
      const [{ fifths }] = sequence.keys;
      const mode = /^[A-G][#b]?\s*(.{0,3})/.exec(fields[0].value)?.[1].toLowerCase() ?? '';
      const minor = /^m(?:in?)?(?:\s|$)/.test(mode) ? true : /^(?:|maj)$/.test(mode.trim()) ? false : undefined;
      return [{ key: { fifths, minor }, durations: pitchClassDurations(sequence.parts) }];
    } catch {
      return [];
    }
  });
}

function pieceOfMidi(bytes: Uint8Array): Piece[] {
  try {
    const { sequence } = readMidi(bytes);
    const keys = sequence.keys.filter((key, i) => i === 0 || key.fifths !== sequence.keys[i - 1].fifths);
    const notes = sequence.parts.reduce((sum, part) => sum + part.notes.length, 0);
    if (keys.length !== 1 || notes < MIN_NOTES) return [];
    return [{ key: keys[0], durations: pitchClassDurations(sequence.parts) }];
  } catch {
    return [];
  }
}

function readPieces(folder: string): Map<string, Piece[]> {
  const pieces = new Map<string, Piece[]>();
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const isAbc = /\.abc$/i.test(path);
    if (!isAbc && !/\.midi?$/i.test(path)) continue;
    const bytes = readFileSync(join(folder, path));
    const found = isAbc ? piecesOfAbc(decodeAbc(bytes)) : pieceOfMidi(bytes);
    const name = isAbc ? path.split('/')[0] : folder;
    pieces.set(name, [...(pieces.get(name) ?? []), ...found]);
  }
  return pieces;
}

console.log('| files | pieces | signature: Krumhansl–Kessler, Kostka–Payne | major and minor | the exact key |');
console.log('| --- | --- | --- | --- | --- |');
const all: Piece[] = [];
const row = (name: string, pieces: Piece[]) => {
  const tonal = pieces.filter(({ key }) => key.minor !== undefined);
  const share = (of: Piece[], right: (piece: Piece) => boolean) => (of.filter(right).length / of.length).toFixed(3);
  const signature = (estimate: (d: readonly number[]) => Key) =>
    share(pieces, ({ key, durations }) => (estimate(durations).fifths - key.fifths) % 12 === 0);
  const exact = (estimate: (d: readonly number[]) => Key) =>
    share(tonal, ({ key, durations }) => {
      const { fifths, minor } = estimate(durations);
      return (fifths - key.fifths) % 12 === 0 && minor === key.minor;
    });
  console.log(
    `| ${name} | ${pieces.length} | ${signature(krumhanslKessler)}, ${signature(detectKey)} | ${tonal.length} | ` +
      `${exact(krumhanslKessler)}, ${exact(detectKey)} |`,
  );
};
for (const folder of process.argv.slice(2)) {
  for (const [name, pieces] of readPieces(folder)) {
    row(name, pieces);
    all.push(...pieces);
  }
}
row('all', all);
