/** Sampling limited to the dialect, over tokens of one character, of several, and of whole lexemes. */
import { beforeAll, describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { type Engine, sample } from '../../lib/engine/index.ts';
import { initialWeights } from '../../lib/models/index.ts';
import { checkAbc, midiToAbc, TuneState, trimToCompleteBars } from '../../lib/music/index.ts';
import {
  BpeTokenizer,
  CharTokenizer,
  MusicTokenizer,
  TextConstraint,
  type Tokenizer,
} from '../../lib/tokenizer/index.ts';
import { anyEngine, tinyLstm } from '../engine/tiny.ts';

const tunes = [1, 2, 3].map((seed) => midiToAbc(composePiece(seed)).abc);
let engine: Engine;
beforeAll(async () => {
  engine = await anyEngine();
});

describe.each<[string, () => Promise<Tokenizer>]>([
  ['char', () => CharTokenizer.train(tunes)],
  ['bpe', () => BpeTokenizer.train(tunes, { vocabularySize: 400 })],
  ['music', () => MusicTokenizer.train(tunes)],
])('with %s tokens', (_, train) => {
  test('every token of a tune is allowed, and the end only after whole lines', async () => {
    const tokenizer = await train();
    for (const tune of tunes) {
      const constraint = new TextConstraint(tokenizer, new TuneState());
      let text = '';
      for (const token of tokenizer.encode(tune)) {
        expect(constraint.allows(token), text).toBe(true);
        expect(!constraint.allows(tokenizer.endOfText) || text.endsWith('|\n'), text).toBe(true);
        constraint.accept(token);
        text += tokenizer.decode([token]);
      }
      expect(constraint.allows(tokenizer.endOfText)).toBe(true);
    }
  });

  test('an untrained model writes valid bars', async () => {
    const tokenizer = await train();
    const prompt = 'X:1\nM:2/4\nL:1/8\nQ:1/4=120\nK:C\n';
    const config = { ...tinyLstm, vocabularySize: tokenizer.vocabularySize };
    const model = engine.model(config, { weights: initialWeights(config, 1) });
    const streams = await sample({
      model,
      prompts: Array(8).fill([tokenizer.endOfText, ...tokenizer.encode(prompt)]),
      maxTokens: 400,
      topP: 0.99,
      seed: 1,
      endOfText: tokenizer.endOfText,
      constrain() {
        const state = new TuneState();
        state.acceptAll(prompt);
        return new TextConstraint(tokenizer, state);
      },
    });
    model.dispose();
    for (const ids of streams) {
      const text = prompt + tokenizer.decode(ids);
      const whole = ids.length < 400 ? text : trimToCompleteBars(text).abc;
      expect(checkAbc(whole), text).toEqual([]);
    }
  });
});
