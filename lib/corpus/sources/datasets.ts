/**
 * The data sets known by name, with their addresses and licences.
 *
 * Size and SHA-256 are given here if they are published or if independent projects agree on them. Otherwise they are
 * recorded at the first download (see download.ts), and later downloads must match. Data sets in a git repository are
 * named by commit. They have no checksum here, because the archive that GitHub makes of a commit may change its bytes.
 */

/** A data set known by name. */
export interface KnownDataset {
  name: string;
  title: string;
  url: string;
  licence: string;
  homepage: string;
  /** what kind of music it is, and what the pipeline can make of it */
  expect: string;
  /** size of the archive */
  bytes?: number;
  /** SHA-256 of the archive, in hexadecimal */
  sha256?: string;
}

/** Every known data set. The data set `synthetic` is not in this list, because it is composed and not downloaded. */
export const KNOWN_DATASETS: readonly KnownDataset[] = [
  {
    name: 'lakh-matched',
    title: 'Lakh MIDI Dataset, matched to the Million Song Dataset (LMD-matched)',
    url: 'http://hog.ee.columbia.edu/craffel/lmd/lmd_matched.tar.gz',
    licence: 'CC BY 4.0',
    homepage: 'https://colinraffel.com/projects/lmd/',
    expect:
      'songs of all kinds, mostly on the beat, 116,189 entries of 45,129 files; some are damaged, keys are often missing or wrong and are estimated',
    bytes: 1_407_072_670,
    sha256: '621ff830aed771f469e5bfa13dc12a33c6ed69090adeda63d0b5c47783af0191',
  },
  {
    name: 'lakh-clean',
    title: 'Lakh MIDI Dataset, the clean subset (file names give artist and title)',
    url: 'http://hog.ee.columbia.edu/craffel/lmd/clean_midi.tar.gz',
    licence: 'CC BY 4.0',
    homepage: 'https://colinraffel.com/projects/lmd/',
    expect: 'songs of all kinds, mostly on the beat; some are damaged, and many are versions of one song',
    bytes: 234_283_029,
  },
  {
    name: 'maestro',
    title: 'MAESTRO v3.0.0, piano performances (MIDI only)',
    url: 'https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip',
    licence: 'CC BY-NC-SA 4.0',
    homepage: 'https://magenta.tensorflow.org/datasets/maestro',
    expect:
      'piano performances only: nothing is left unless convert.performances is keep, and then bar lines meet the music by chance',
    bytes: 58_416_533,
    sha256: '70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c',
  },
  {
    name: 'nottingham',
    title: 'Nottingham Music Database, folk tunes with chords, cleaned by Jukedeck',
    url: 'https://github.com/jukedeck/nottingham-dataset/archive/0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f.tar.gz',
    licence: 'GPL-3.0',
    homepage: 'https://github.com/jukedeck/nottingham-dataset',
    expect: 'folk tunes with chords, on the beat, with right keys and bars',
  },
  {
    name: 'pop909',
    title: 'POP909, piano arrangements of pop songs',
    url: 'https://github.com/music-x-lab/POP909-Dataset/archive/d83e6edba6872a704f5d3b8b32f5cb540088dae6.tar.gz',
    licence: 'MIT',
    homepage: 'https://github.com/music-x-lab/POP909-Dataset',
    expect: 'pop songs that follow a recording: 238 of 303 measured files are performances, and most bars say 1/4',
  },
];
