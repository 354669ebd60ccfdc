/**
 * Trains a tokenizer on the training split of SPLITS. TOKENS gets tokenizer.json and the tokens of all splits in LMDB.
 */
import { tokenizeCorpus } from '../lib/tokenizer/index.ts';
import { StageError, stage } from './parts/stage.ts';

await stage({
  name: 'tokenize',
  description: 'Trains a tokenizer on SPLITS/train.jsonl, and writes it and the tokens of all splits to TOKENS.',
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
      throw new StageError(`--tokenizer is ${flags.tokenizer}; it must be char, bpe or music`);
    const { vocabulary, pretokenizer } = params.tokenize.bpe;
    return tokenizeCorpus(splits, tokens, { name: 'bpe', vocabularySize: vocabulary, pretokenizer, onProgress });
  },
});
