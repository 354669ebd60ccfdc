/**
 * Collects the music files of a data set (MIDI, ABC, MusicXML) in one folder.
 *
 *     await fetchDataset('synthetic', 'data/raw', { synthetic: { pieces: 480, seed: 1 } });
 *     await fetchDataset('examples', 'data/raw');                 // the folder examples/ of the project
 *     await fetchDataset('../my-music', 'data/raw');              // a folder: copied, its own folders kept
 *     await fetchDataset('songs.zip', 'data/raw');                // an archive: tar.gz, tgz, tar, zip
 *     await fetchDataset('https://example.org/x.tar.gz', 'data/raw');
 *     await fetchDataset('maestro', 'data/raw');                  // by name: see datasets.ts
 *
 * Files are not parsed here. A file that is not music is reported by the conversion.
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { composePiece } from '../../compose/index.ts';
import { type UnpackLimits, unpackArchive } from '../archives/index.ts';
import { CorpusError, DiskError, reasonOf } from '../errors.ts';
import { copyFiles, listFolder, prepareFolder, type Skipped, writeFileWithFolders } from '../folder.ts';
import { adviceFor, isMidiName, isMusicName, type PassedOver, READ_ENDINGS, totalPassedOver } from '../formats.ts';
import type { OnProgress } from '../progress.ts';
import { choosePaths, keepChosen } from './choose-files.ts';
import { KNOWN_DATASETS } from './datasets.ts';
import { type DownloadOptions, download } from './download.ts';

/** The data set that ships with the project. */
const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url));

/** Most pieces of a synthetic data set. */
const MAX_PIECES = 1_000_000;

/** Options of `fetchDataset`. */
export interface FetchOptions {
  /** for the data set `synthetic`: number of pieces, and seed. Piece i does not depend on the number of pieces */
  synthetic?: { pieces: number; seed: number | string };
  /** largest number of files of a data set other than `synthetic`, chosen by a hash of their paths. Default 0: all */
  maxFiles?: number;
  /** folder in which downloads are kept between runs. Default: `downloads` beside the output folder */
  downloads?: string;
  /** limits for unpacking an archive */
  limits?: Partial<UnpackLimits>;
  /** limits for a download */
  connection?: Pick<DownloadOptions, 'maxBytes' | 'idleTimeout' | 'attempts' | 'backoff'>;
  onProgress?: OnProgress;
}

/** Source of the files, without details that differ between machines. */
export type DatasetSource =
  | { kind: 'synthetic'; pieces: number; seed: number | string }
  | { kind: 'folder'; path: string }
  | { kind: 'archive'; path: string }
  | { kind: 'url'; url: string; bytes: number; sha256: string }
  | {
      kind: 'known';
      name: string;
      title: string;
      licence: string;
      expect: string;
      url: string;
      bytes: number;
      sha256: string;
    };

/** Metrics of a fetched data set. */
export interface FetchedDataset {
  source: DatasetSource;
  /** music files in the output folder, and their bytes */
  files: number;
  bytes: number;
  /** number of files of other kinds, which are not copied: in all, and by ending */
  others: number;
  passed_over: PassedOver;
  /** sentences about passed-over files that are music: what converts them */
  advice: string[];
  /** music files that could not be copied or unpacked, and why */
  skipped: Skipped[];
  /** number of MIDI files beyond `maxFiles` */
  left_out?: number;
}

/**
 * Collects the music files of a data set in one folder.
 *
 * @param dataset `synthetic`, `examples`, a known name (datasets.ts), a URL, or the path of a folder or an archive
 * @param outDir created if missing; must not hold other files
 * @throws CorpusError if the data set does not exist or holds no usable music file
 */
export async function fetchDataset(
  dataset: string,
  outDir: string,
  options: FetchOptions = {},
): Promise<FetchedDataset> {
  const { onProgress = () => {} } = options;
  if (dataset === 'synthetic') return composeDataset(outDir, options.synthetic ?? { pieces: 480, seed: 1 }, onProgress);
  if (dataset === 'examples') {
    return { ...(await fromFolder(EXAMPLES, outDir, options)), source: { kind: 'folder', path: dataset } };
  }

  const known = KNOWN_DATASETS.find(({ name }) => name === dataset);
  const url = known?.url ?? (/^https?:\/\//i.test(dataset) ? dataset : undefined);
  if (url !== undefined) {
    checkAddress(url);
    await prepareFolder(outDir);
    const downloads = options.downloads ?? join(dirname(resolve(outDir)), 'downloads');
    const archive = await download(url, downloads, { ...options.connection, expected: known, onProgress });
    const { bytes, sha256 } = archive;
    const source: DatasetSource = known
      ? {
          kind: 'known',
          name: known.name,
          title: known.title,
          licence: known.licence,
          expect: known.expect,
          url,
          bytes,
          sha256,
        }
      : { kind: 'url', url, bytes, sha256 };
    return fromArchive(archive.path, dataset, outDir, source, options).catch((error: unknown) => {
      if (!(error instanceof CorpusError) || error instanceof DiskError) throw error;
      const again = `remove ${archive.path} and ${archive.path}.json to download it again`;
      throw new CorpusError(`${error.message} (the file that ${url} gave; ${again})`);
    });
  }

  const info = await stat(dataset).catch((error) => {
    if (error.code === 'ENOENT') throw new CorpusError(unknownDataset(dataset));
    throw new CorpusError(`${dataset}: cannot be read: ${reasonOf(error)}`);
  });
  if (info.isDirectory()) return fromFolder(dataset, outDir, options);
  // Opening a pipe would wait for another program to write into it.
  if (!info.isFile()) throw new CorpusError(`${dataset}: is neither a file nor a folder`);
  await prepareFolder(outDir);
  return fromArchive(dataset, dataset, outDir, { kind: 'archive', path: dataset }, options);
}

/** @throws CorpusError that does not repeat a password, because messages are kept in logs */
function checkAddress(url: string): void {
  if (!URL.canParse(url)) throw new CorpusError(`${url}: is not an address`);
  const { username, password, protocol, host, pathname } = new URL(url);
  if (username !== '' || password !== '')
    throw new CorpusError(
      `${protocol}//${host}${pathname}: an address with a user or password cannot be downloaded, and would be kept in params.yaml; download the file by hand, and name its path`,
    );
}

/** Composes the synthetic data set. */
async function composeDataset(
  outDir: string,
  { pieces, seed }: { pieces: number; seed: number | string },
  onProgress: OnProgress,
): Promise<FetchedDataset> {
  if (!Number.isInteger(pieces) || pieces < 1 || pieces > MAX_PIECES)
    throw new CorpusError(`a synthetic data set has 1 to ${MAX_PIECES} pieces, not ${pieces}`);
  const names = Array.from({ length: pieces }, (_, i) => `${String(i + 1).padStart(5, '0')}.mid`);
  await prepareFolder(outDir, new Set(names));
  let bytes = 0;
  for (const [i, name] of names.entries()) {
    const midi = composePiece(`${seed}-${i + 1}`);
    writeFileWithFolders(join(outDir, name), midi);
    bytes += midi.length;
    onProgress({ done: i + 1, total: pieces, unit: 'pieces' });
  }
  return { source: { kind: 'synthetic', pieces, seed }, files: pieces, bytes, ...passedOverMetrics({}), skipped: [] };
}

/** Copies the music files of a folder, with the folders below it. */
async function fromFolder(
  folder: string,
  outDir: string,
  { maxFiles = 0, onProgress = () => {} }: FetchOptions,
): Promise<FetchedDataset> {
  if (`${resolve(outDir)}/`.startsWith(`${resolve(folder)}/`)) {
    throw new CorpusError(`${outDir}: is inside the folder of the data set, ${folder}; choose a folder outside it`);
  }
  const listing = await listFolder(folder, isMusicName);
  if (listing.paths.length === 0) throw noMusicError(folder, listing.passedOver, listing.skipped);
  const chosen = choosePaths(listing.paths, maxFiles);
  await prepareFolder(outDir, new Set(chosen));
  const copied = await copyFiles(folder, outDir, chosen, onProgress);
  const skipped = [...listing.skipped, ...copied.skipped];
  if (copied.files === 0) throw noMusicError(folder, listing.passedOver, skipped);
  return {
    source: { kind: 'folder', path: folder },
    files: copied.files,
    bytes: copied.bytes,
    ...passedOverMetrics(listing.passedOver),
    skipped,
    ...(maxFiles > 0 ? { left_out: listing.paths.length - chosen.length } : {}),
  };
}

/** Unpacks the music files of an archive. `dataset` names it in messages. */
async function fromArchive(
  archive: string,
  dataset: string,
  outDir: string,
  source: DatasetSource,
  { limits, maxFiles = 0, onProgress }: FetchOptions,
): Promise<FetchedDataset> {
  await mkdir(outDir, { recursive: true });
  // The known data sets are read as MIDI: some have the same tunes as ABC too.
  const wanted = source.kind === 'known' ? isMidiName : isMusicName;
  const { passedOver, ...unpacked } = await unpackArchive(archive, outDir, { limits, wanted, onProgress });
  if (unpacked.files === 0) throw noMusicError(dataset, passedOver, unpacked.skipped);
  const others = passedOverMetrics(passedOver);
  if (maxFiles === 0) return { source, ...unpacked, ...others };
  const { leftOut, ...kept } = await keepChosen(outDir, maxFiles);
  return { source, ...unpacked, ...kept, ...others, left_out: leftOut };
}

function passedOverMetrics(passedOver: PassedOver): Pick<FetchedDataset, 'others' | 'passed_over' | 'advice'> {
  return { others: totalPassedOver(passedOver), passed_over: passedOver, advice: adviceFor(passedOver) };
}

function noMusicError(where: string, passedOver: PassedOver, skipped: readonly Skipped[]): CorpusError {
  const others = totalPassedOver(passedOver);
  const first = skipped[0] && `; ${skipped[0].path} ${skipped[0].reason}`;
  const [advice] = adviceFor(passedOver);
  return new CorpusError(
    `${where}: contains no usable music file (${READ_ENDINGS}), among ${others + skipped.length} files${first ?? (advice === undefined ? '' : `; ${advice}`)}`,
  );
}

function unknownDataset(dataset: string): string {
  const names = ['synthetic', 'examples', ...KNOWN_DATASETS.map(({ name }) => name)].join(', ');
  return `${dataset}: there is no folder, archive or data set of that name; the known data sets are ${names}`;
}
