/**
 * Plans the conversion of a folder: for each music file the ABC files to write, and what to read for them. A file that is as
 * it was in the recorded run (conversion-record.ts) is not read, unless its tunes get other names now.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CorpusError, reasonOf } from '../errors.ts';
import type { Skipped } from '../folder.ts';
import { formatOf } from '../formats.ts';
import type { RecordedFile } from './conversion-record.ts';
import type { FileToConvert } from './convert-file.ts';
import { findTunes } from './tune-book.ts';

/** A music file and its tunes. */
export interface PlannedFile {
  path: string;
  /** for each tune, the ABC file to write, relative to the folder of ABC files, and its name in the metrics */
  targets: string[];
  names: string[];
  /** its parts to convert, in the order of its tunes; none if `kept` is there */
  items: FileToConvert[];
  /** what the recorded run made of it; its ABC files are there */
  kept?: RecordedFile;
}

/** Larger ABC files are not collections of tunes. */
const MAX_ABC_BYTES = 512 * 2 ** 20;

/**
 * Plans the conversion.
 *
 * @param paths of the music files, sorted
 * @param unchanged what the recorded run made of the files that did not change since
 * @returns the files, and those that cannot be read
 */
export function planFiles(
  rawDir: string,
  paths: readonly string[],
  unchanged: ReadonlyMap<string, RecordedFile>,
): { files: PlannedFile[]; failed: Skipped[] } {
  const plan = { files: [] as PlannedFile[], failed: [] as Skipped[] };
  const targets = abcPaths(paths);
  const taken = new Set(targets.map((target) => target.toLowerCase()));
  for (const [i, path] of paths.entries()) {
    const kept = unchanged.get(path);
    try {
      const parts = kept === undefined ? partsOf(rawDir, path) : [];
      const tunes = kept?.tunes.length ?? parts.reduce((sum, part) => sum + part.tunes, 0);
      const numbers = Array.from({ length: tunes }, (_, k) => k + 1);
      const file: PlannedFile = {
        path,
        targets: tunes === 1 ? [targets[i]] : numbers.map((k) => tunePath(targets[i], k, taken)),
        names: tunes === 1 ? [path] : numbers.map((k) => `${path}#${k}`),
        items: [],
      };
      plan.files.push(file);
      if (kept && file.targets.every((target, k) => target === kept.tunes[k].target)) file.kept = kept;
      else {
        let first = 0;
        for (const { tunes: own, ...part } of kept ? partsOf(rawDir, path) : parts)
          file.items.push({ ...part, targets: file.targets.slice(first, (first += own)) });
      }
    } catch (error) {
      plan.failed.push({ path, reason: reasonOf(error) });
    }
  }
  return plan;
}

/**
 * The parts of a music file, with the number of tunes in each. Only an ABC file is read for that.
 *
 * @throws CorpusError if the file is too large
 */
function partsOf(rawDir: string, path: string): (Omit<FileToConvert, 'targets'> & { tunes: number })[] {
  const source = join(rawDir, path);
  const format = formatOf(path)!;
  if (format !== 'abc') return [{ source, format, tunes: 1 }];
  const { size } = statSync(source);
  if (size > MAX_ABC_BYTES) throw new CorpusError(`has ${size} bytes, more than the limit of ${MAX_ABC_BYTES}`);
  const { header, ranges } = findTunes(readFileSync(source));
  return ranges.map((range) => ({ source, format, range, header, tunes: range.tunes }));
}

/** The file of tune `number` of a collection, `x/y.abc` → `x/y/0001.abc`, which no other tune has. */
function tunePath(collection: string, number: number, taken: Set<string>): string {
  const base = `${collection.replace(/\.abc$/, '')}/${String(number).padStart(4, '0')}`;
  let path = `${base}.abc`;
  while (taken.has(path.toLowerCase())) path = path.replace(/\.abc$/, '_.abc');
  taken.add(path.toLowerCase());
  return path;
}

/**
 * Names the ABC file of each music file: `x/y.mid` → `x/y.abc`. If two files would have the same name (y.kar, y.mid), the later one
 * keeps its ending: `y.mid.abc`.
 */
export function abcPaths(paths: readonly string[]): string[] {
  const taken = new Set<string>();
  return paths.map((path) => {
    const short = path.replace(/\.[^./]*$/, '.abc');
    // Compare in lower case, because many file systems ignore case.
    let abc = taken.has(short.toLowerCase()) ? `${path}.abc` : short;
    while (taken.has(abc.toLowerCase())) abc = abc.replace(/\.abc$/, '_.abc');
    taken.add(abc.toLowerCase());
    return abc;
  });
}
