/** A short run of fuzz.ts, and the damaged inputs that once failed. */
import { expect, test } from 'vitest';
import { mutateAbc, mutateMidi, random, seedAbcs, seedMidis, tryAbc, tryMidi } from './fuzz.ts';

const ROUNDS = 250;
const midis = seedMidis();

test(`${ROUNDS} damaged MIDI files: a valid tune that is a fixed point, or a reason`, () => {
  const next = random(1);
  for (let i = 0; i < ROUNDS; i++) expect(tryMidi(mutateMidi(midis, next)), `round ${i}`).toBeUndefined();
});

test(`${ROUNDS} damaged ABC texts: checked, played and trimmed, or a reason`, () => {
  const abcs = seedAbcs(midis);
  const next = random(2);
  for (let i = 0; i < ROUNDS; i++) {
    const text = mutateAbc(abcs, next);
    expect(tryAbc(text), `round ${i}: ${JSON.stringify(text)}`).toBeUndefined();
  }
});
