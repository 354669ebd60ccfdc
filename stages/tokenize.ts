/** SPLITS → TOKENS: a tokenizer trained on the training split, and the tokens of all splits in LMDB beside it. */
import { tokenizeCorpus } from '../lib/tokenizer/index.ts';
import { StageError, stage } from './stage.ts';

await stage({
  name: 'tokenize',
  does: 'Trains a tokenizer on SPLITS/train.jsonl and writes it and the tokens of every split to TOKENS.',
  paths: ['SPLITS', 'TOKENS'],
  flags: { tokenizer: 'char, bpe or music' },
  async run({ paths: [splits, tokens], flags, params, progress }) {
    const onProgress = progress.update;
    if (flags.tokenizer === 'char') return tokenizeCorpus(splits, tokens, { name: 'char', onProgress });
    if (flags.tokenizer === 'music') {
      const minFrequency = params.tokenize.music.min_frequency;
      return tokenizeCorpus(splits, tokens, { name: 'music', minFrequency, onProgress });
    }
    if (flags.tokenizer !== 'bpe')
      throw new StageError(`--tokenizer ${flags.tokenizer}: there are char, bpe and music`);
    const { vocabulary, pretokenizer } = params.tokenize.bpe;
    return tokenizeCorpus(splits, tokens, { name: 'bpe', vocabularySize: vocabulary, pretokenizer, onProgress });
  },
});
