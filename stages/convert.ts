/** RAW (MIDI) → ABC, x/y.mid → x/y.abc. A file that cannot be read is named in the metrics and passed over. */
import { convertCorpus } from '../lib/corpus/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'convert',
  description: 'Converts every MIDI file below RAW to ABC notation below ABC, in the same folders.',
  paths: ['RAW', 'ABC'],
  flags: {
    memo: 'a folder in which conversions are kept, so that of a corpus that grows only new files are converted',
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
