/**
 * Converts the music files below RAW to ABC in the dialect: x/y.mid and x/y.mxl to x/y.abc, and the tunes of x/y.abc to
 * x/y/0001.abc and so on. Files and tunes that cannot be read are skipped and named in the metrics.
 */
import { convertCorpus } from '../lib/corpus/index.ts';
import { stage } from './parts/stage.ts';

await stage({
  name: 'convert',
  description:
    'Converts every MIDI file, MusicXML score and ABC tune below RAW to a tune of the dialect below ABC, in the same folders.',
  paths: ['RAW', 'ABC'],
  flags: {
    memo: 'a folder that keeps conversions, so that only the new files of a growing corpus are converted',
  },
  optional: ['memo'],
  async run({ paths: [raw, abc], flags: { memo }, params, progress }) {
    const { grid, layout, tuplets, tempo_changes: tempoChanges, performances } = params.convert;
    return convertCorpus(raw, abc, {
      grid,
      layout,
      tuplets,
      tempoChanges,
      performances,
      memo,
      onProgress: progress.update,
      onReused: (files) => files > 0 && console.log(`${files} files had been converted before`),
    });
  },
});
