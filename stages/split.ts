/** ABC → SPLITS: filtered, without duplicates, {train,val,test}.jsonl by hash; what was dropped is counted with examples. */
import { splitCorpus } from '../lib/corpus/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'split',
  does: 'Filters the tunes below ABC, drops duplicates, and splits the rest into SPLITS/{train,val,test}.jsonl by hash.',
  paths: ['ABC', 'SPLITS'],
  async run({ paths: [abc, splits], params: { split }, progress }) {
    return splitCorpus(abc, splits, {
      fractions: split.fractions,
      filters: {
        minBars: split.min_bars,
        maxBars: split.max_bars,
        minNotes: split.min_notes,
        maxVoices: split.max_voices,
        maxChars: split.max_chars,
        maxEmptyBars: split.max_empty_bars,
        minGzipRatio: split.min_gzip_ratio,
      },
      transpose: split.transpose,
      seed: split.seed,
      onProgress: progress.update,
    });
  },
});
