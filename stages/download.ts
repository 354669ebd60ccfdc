/**
 * Gets the music files of a data set (MIDI, ABC, MusicXML) into RAW. The default data set, `synthetic`, is composed here and needs no network.
 */
import { fetchDataset } from '../lib/corpus/index.ts';
import { stage } from './parts/stage.ts';

await stage({
  name: 'download',
  description:
    'Gets the music files of download.dataset into RAW: composes them, or takes them from a folder, an archive or a URL.',
  paths: ['RAW'],
  async run({ paths: [raw], params, progress }) {
    const { dataset, pieces, seed, max_files: maxFiles } = params.download;
    const fetched = await fetchDataset(dataset, raw, {
      synthetic: { pieces, seed },
      maxFiles,
      onProgress: progress.update,
    });
    for (const advice of fetched.advice) console.log(`${advice}.`);
    return fetched;
  },
});
