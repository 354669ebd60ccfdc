/** MIDI files of a data set → RAW. The default, `synthetic`, composes its own and needs no network. */
import { fetchDataset } from '../lib/corpus/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'download',
  does: 'Brings the MIDI files of download.dataset into RAW: composed, from a folder, from an archive, or from a URL.',
  paths: ['RAW'],
  async run({ paths: [raw], params, progress }) {
    const { dataset, pieces, seed } = params.download;
    return fetchDataset(dataset, raw, { synthetic: { pieces, seed }, onProgress: progress.update });
  },
});
