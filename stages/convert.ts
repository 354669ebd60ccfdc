/** RAW (MIDI) → ABC, x/y.mid → x/y.abc. A file that cannot be read is named in the metrics and passed over. */
import { convertCorpus } from '../lib/corpus/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'convert',
  does: 'Converts every MIDI file below RAW to ABC notation below ABC, in the same folders.',
  paths: ['RAW', 'ABC'],
  async run({ paths: [raw, abc], params, progress }) {
    return convertCorpus(raw, abc, { ...params.convert, onProgress: progress.update });
  },
});
