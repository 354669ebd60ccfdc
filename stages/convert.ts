/**
 * Converts the MIDI files below RAW to ABC, x/y.mid to x/y.abc. Files that cannot be read are skipped and named in the
 * metrics.
 */
import { convertCorpus } from '../lib/corpus/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'convert',
  description: 'Converts every MIDI file below RAW to ABC notation below ABC, in the same folders.',
  paths: ['RAW', 'ABC'],
  flags: {
    memo: 'a folder that keeps conversions, so that only the new files of a growing corpus are converted',
  },
  optional: ['memo'],
  async run({ paths: [raw, abc], flags: { memo }, params, progress }) {
    return convertCorpus(raw, abc, {
      ...params.convert,
      memo,
      onProgress: progress.update,
      onReused: (files) => files > 0 && console.log(`${files} files had been converted before`),
    });
  },
});
