/** A short run of fuzz.ts, damaged inputs that once failed, and inputs that are built to be slow. */
import { expect, test } from 'vitest';
import { midiToAbc } from '../../lib/music/index.ts';
import { mutateAbc, mutateMidi, random, seedAbcs, seedMidis, tryAbc, tryMidi } from './fuzz.ts';
import { midi, notes } from './midi-bytes.ts';

const ROUNDS = 250;
const seeds = seedMidis();

test(`${ROUNDS} damaged MIDI files each give a MusicError, or a valid tune that converts to itself`, () => {
  const next = random(1);
  for (let i = 0; i < ROUNDS; i++) expect(tryMidi(mutateMidi(seeds, next)), `round ${i}`).toBeUndefined();
});

test(`${ROUNDS} damaged ABC texts are each checked, played and trimmed, or give a MusicError`, () => {
  const abcs = seedAbcs(seeds);
  const next = random(2);
  for (let i = 0; i < ROUNDS; i++) {
    const text = mutateAbc(abcs, next);
    expect(tryAbc(text), `round ${i}: ${JSON.stringify(text)}`).toBeUndefined();
  }
});

const header = 'X:1\nM:4/4\nL:1/8\nK:C\n';

test.each([
  // The number of this ending is so large that adding one does not change it.
  ['an ending with a huge number', `${header}C8|10000000000000000000000 D8:|2 E8|`],
  ['an ending of 50,000 digits', `${header}C8|1${'0'.repeat(50_000)} D8|`],
  // The quotation mark never closes, so this does not name an ending.
  ['a named ending that begins with a number', `${header}C8|["4/4 D8|["2nd time" E8|`],
  ['rests of 25 million bars', header + 'Z999'.repeat(25_000)],
  ['100,000 openings of a field', header + '[V:x'.repeat(25_000)],
  ['100,000 openings of grace notes', header + '{'.repeat(100_000)],
  ['25,000 bars too short, each with a loose tie', header + 'c-|'.repeat(25_000)],
  ['30,000 parts that are too short', header + '[P:A]C|'.repeat(30_000)],
  ['20,000 notes tied at once', `${header}[${'c-^c-'.repeat(10_000)}]|[${'=c^c'.repeat(10_000)}]|`],
])('%s are read within two seconds', (_, text) => {
  expect(tryAbc(text)).toBeUndefined();
});

test('200 notes held at once with repeated pitches keep their ties', () => {
  // A damaged file without note-offs once exceeded a limit on the notes of a chord.
  const held = Array.from({ length: 200 }, (_, i): [number, number, number] => [40 + (i % 60), 120 * i, 24_000]);
  expect(tryMidi(midi(notes(held)))).toBeUndefined();
});

test.each([
  ['begun and ended together', (i: number): [number, number, number] => [i % 128, 0, 480]],
  ['begun one after another', (i: number): [number, number, number] => [i % 128, 30 * (i % 20), 4800]],
])('3,000 notes at once in one voice, %s, are refused', (_, note) => {
  const file = midi(notes(Array.from({ length: 3000 }, (_, i) => note(i))));
  expect(tryMidi(file)).toBeUndefined();
  expect(() => midiToAbc(file)).toThrow(/notes sound at once in one voice; at most/);
});
