/**
 * The dialect as a state machine: it accepts every tune that the writer writes, and every text that it accepts is a
 * tune without problems, or the beginning of one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { checkAbc, type Layout, MusicError, midiToScore, TuneState, writeAbc } from '../../lib/music/index.ts';
import { random } from './fuzz.ts';

const CORPUS = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));
const ONE = 'X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:G\n';
const TWO = `${ONE}V:1\n%%MIDI program 40\nV:2\n%%MIDI channel 10\n`;

/** How far a text is accepted: "whole", "beginning", or the text that is accepted before the first refused character. */
function reading(text: string, grid = 16): string {
  const state = new TuneState({ grid });
  const accepted = state.acceptAll(text);
  if (accepted < text.length) return text.slice(0, accepted);
  return state.mayEnd ? 'whole' : 'beginning';
}

describe('every tune of the writer is accepted', () => {
  const layouts: Layout[] = ['interleaved', 'voices'];

  /** Writes a MIDI file on several grids and in both layouts, and reads the tunes. */
  function expectAccepted(midi: Uint8Array, name: string): void {
    for (const grid of [16, 8, 32]) {
      const { score } = midiToScore(midi, { grid });
      for (const layout of layouts) expect(reading(writeAbc(score, layout), grid), `${name}, ${layout}`).toBe('whole');
    }
  }

  test('composed pieces', () => {
    for (let seed = 1; seed <= 6; seed++) expectAccepted(composePiece(seed), `piece ${seed}`);
  });

  test.skipIf(!existsSync(CORPUS))('every fortieth file of ../shared/corpus (skipped if it is not there)', () => {
    const names = readdirSync(CORPUS, { recursive: true, encoding: 'utf8' }).filter((name) => /\.mid$/i.test(name));
    for (const name of names.sort().filter((_, i) => i % 40 === 0)) {
      try {
        expectAccepted(readFileSync(join(CORPUS, name)), name);
      } catch (error) {
        if (!(error instanceof MusicError)) throw error;
      }
    }
  });
});

/** The characters that a tune has, and some that it never has. */
const CHARACTERS = [..."\n !%&'(),-./0123456789:=ABCDEFGIKLMPQVXZ[]^_abcdefghilmnoprxz|{"];

/** Continues a tune at random. Bar lines, line ends and voices get higher weights, so that most tunes come to an end. */
function wander(seed: number): { text: string; whole: boolean; stuck: boolean } {
  const uniform = random(seed);
  const tuplets = seed % 2 === 0 ? 1 : 50;
  const weights = CHARACTERS.map((c) =>
    '|\n'.includes(c) ? 1e4 : c === '&' ? 0.1 : c === '(' ? tuplets : Math.exp(3 * uniform()),
  );
  let state = new TuneState({ grid: [16, 32, 4, 8][seed % 4] });
  // Short bars, so that there are many.
  let text = ['X:1\nM:2/4\n', 'X:1\nM:1/4\n', 'X:1\nM:5/8\n', ''][seed % 5] ?? 'X:1\nM:3/8\n';
  state.acceptAll(text);
  while (text.length < 800 && !(state.mayEnd && uniform() < 0.15)) {
    const next = CHARACTERS.flatMap((c, i) => {
      const copy = state.copy();
      return copy.accept(c) ? [{ c, state: copy, weight: weights[i] }] : [];
    });
    if (next.length === 0) return { text, whole: state.mayEnd, stuck: true };
    let left = uniform() * next.reduce((sum, { weight }) => sum + weight, 0);
    const chosen = next.find(({ weight }) => (left -= weight) < 0) ?? next[0];
    text += chosen.c;
    state = chosen.state;
  }
  return { text, whole: state.mayEnd, stuck: false };
}

test('any path leads on or to a whole tune, and a whole tune has no problem', () => {
  let whole = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const walk = wander(seed);
    expect([walk.stuck && !walk.whole, walk.text], `seed ${seed}`).toEqual([false, walk.text]);
    if (!walk.whole) continue;
    whole++;
    expect(checkAbc(walk.text), `seed ${seed}: ${walk.text}`).toEqual([]);
  }
  expect(whole).toBeGreaterThan(20);
});

test('mayAccept says of every character and token what a copy would accept, and changes nothing', () => {
  const { score } = midiToScore(composePiece(2));
  const tune = writeAbc(score).slice(0, 700);
  const next = random(5);
  const texts = [...new Set(tune)].concat(['|\n', '|[V:2]', 'c2', '[K:G]', "d'-", 'Z|', '\n[V:1]', 'zz', '8|']);
  const state = new TuneState();
  for (const c of tune) {
    for (const text of texts)
      if (next() < 0.3) expect(state.mayAccept(text), text).toBe(state.copy().acceptAll(text) === text.length);
    expect(state.accept(c)).toBe(true);
  }
});

describe('a text is accepted up to', () => {
  test.each<[string, string, string]>([
    ['the end of a whole tune', `${ONE}GABc|d4|\n`, 'whole'],
    ['a line that is not full, which ends the tune', `${ONE}GABc|\nG`, `${ONE}GABc|\n`],
    ['a full line, after which the tune goes on', `${ONE}G4|G4|G4|G4|\nG4|\n`, 'whole'],
    ['the last note that fits into the bar', `${ONE}GABcd`, `${ONE}GABc`],
    ['the last length that fits into the bar', `${ONE}G3A2`, `${ONE}G3A`],
    ['a length that leaves the rest of the bar', `${ONE}G7/8`, 'beginning'],
    ['a bar line after a whole bar', `${ONE}GAB|`, `${ONE}GAB`],
    ['a note that continues the tie', `${ONE}G2A-B`, `${ONE}G2A-`],
    ['a bar without the note that continues the tie', `${ONE}G2A2-|B4|`, `${ONE}G2A2-|B4`],
    ['the same pitch with another spelling', `${ONE}^G4-|_A4|\n`, 'whole'],
    ['the natural of a tied note that is sharp', `${ONE}F-=F`, `${ONE}F-=`.slice(0, -1)],
    ['a chord that holds the tied note', `${ONE}G4-|[DGB]4|\n`, 'whole'],
    ['a chord without the tied note', `${ONE}G-[DA`, `${ONE}G-[D`],
    ['one tied note of a chord', `${ONE}[G-B]2[GA]2|\n`, 'whole'],
    ['a tie that a further layer continues', `${ONE}z4&G4-|z4&G4|\n`, 'whole'],
    ['the layer that must continue a tie', `${ONE}G4-|z4|`, `${ONE}G4-|z4`],
    ['an end with an open tie', `${ONE}G4-|\n`, `${ONE}G4-|`],
    ['a rest with a tie', `${ONE}z-`, `${ONE}z`],
    ['a silent bar', `${ONE}Z|G4|\n`, 'whole'],
    ['an end without a note', `${ONE}Z|\n`, `${ONE}Z|`],
    ['pitches that do not ascend in a chord', `${ONE}[GD`, `${ONE}[G`],
    ['octaves that MIDI has', `${ONE}g'''''`, `${ONE}g''''`],
    ['a new metre, key and tempo', `${ONE}[M:3/4][K:Dm][Q:1/4=90]FGA|\n`, 'whole'],
    ['fields in another order', `${ONE}[K:D][M`, `${ONE}[K:D][`],
    ['a program within a bar', `${ONE}G2[I:MIDI program 5]A2|\n`, 'whole'],
    ['a program that MIDI does not have', `${ONE}[I:MIDI program 128`, `${ONE}[I:MIDI program 12`],
    ['two voices with equal bars', `${TWO}[V:1]GABc|[V:2][K:C]C,,4|\n`, 'whole'],
    ['a line without the second voice', `${TWO}[V:1]GABc|\n`, `${TWO}[V:1]GABc|`],
    ['a metre that the second voice does not have', `${TWO}[V:1][M:2/4]GA|[V:2]C`, `${TWO}[V:1][M:2/4]GA|[V:2]`],
    ['one voice after another', `${ONE}V:1\nGABc|d4|\nV:2\nZ|D4|\n`, 'whole'],
    ['a second voice with fewer bars', `${ONE}V:1\nGABc|d4|\nV:2\nZ|\n`, `${ONE}V:1\nGABc|d4|\nV:2\nZ|`],
    ['a tie out of the last bar', `${ONE}V:1\nG4|\nV:2\nG4-`, `${ONE}V:1\nG4|\nV:2\nG4`],
    ['a triplet', `${ONE}(3GABc2|\n`, 'whole'],
    ['a triplet of two notes', `${ONE}(3:2:2G2AB2|\n`, 'whole'],
    ['a quintuplet', `${ONE}(5:4:5G/4A/4B/4c/4d/4e3|\n`, 'whole'],
    ['a length that does not complete the triplet', `${ONE}(3G2A/B|`, `${ONE}(3G2A/B`],
    ['a triplet that the bar has no room for', `${ONE}G7/(3A/B/c`, `${ONE}G7/(3A/B/`],
    ['a triplet that begins between the points of the grid', `${ONE}G/16(`, `${ONE}G/16`],
    ['a tuplet in a tuplet', `${ONE}(3G(`, `${ONE}(3G`],
    ['a bar line in a triplet', `${ONE}G2(3G2A|`, `${ONE}G2(3G2A`],
    ['a tie that a triplet continues', `${ONE}G2-(3GAB|\n`, 'whole'],
    ['a tie in a triplet', `${ONE}(3G-GAB2|\n`, 'whole'],
    ['a number of notes that is written shorter', `${ONE}(3:2:3G`, `${ONE}(3:2:3`],
    ['more notes than a triplet may have', `${ONE}(3:2:49`, `${ONE}(3:2:4`],
    ['a header without a field', 'X:1\nM:4/4\nQ', 'X:1\nM:4/4\n'],
  ])('%s', (_, text, expected) => expect(reading(text)).toBe(expected));

  test('a metre and a unit that the grid has', () => {
    expect(reading('X:1\nM:3/8\nL:1/8\n', 2)).toBe('beginning');
    expect(reading('X:1\nM:3/16\n', 2)).toBe('X:1\nM:3/1');
    expect(reading('X:1\nM:3/8\nL:1/16\n', 2)).toBe('X:1\nM:3/8\nL:1/');
  });
});
