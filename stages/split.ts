/**
 * Filters the tunes of ABC, removes duplicates, and writes SPLITS/{train,val,test}.jsonl. A tune's split depends on its
 * hash. The metrics count the dropped tunes, with examples.
 */
import { splitCorpus } from '../lib/corpus/index.ts';
import { stage } from './parts/stage.ts';

await stage({
  name: 'split',
  description:
    'Filters the tunes in ABC, removes duplicates, and splits the rest by hash into SPLITS/{train,val,test}.jsonl.',
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
