/**
 * Gets the MIDI files of a data set into RAW. The default data set, `synthetic`, is composed here and needs no network.
 */
import { fetchDataset } from '../lib/corpus/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'download',
  description:
    'Gets the MIDI files of download.dataset into RAW: composes them, or takes them from a folder, an archive or a URL.',
  paths: ['RAW'],
  async run({ paths: [raw], params, progress }) {
    const { dataset, pieces, seed, max_files: maxFiles } = params.download;
    return fetchDataset(dataset, raw, { synthetic: { pieces, seed }, maxFiles, onProgress: progress.update });
  },
});
