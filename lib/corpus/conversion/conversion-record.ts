/**
 * The result of each music file, so that the next run can leave out the files that did not change. It is written beside
 * the ABC files, and belongs to them: JSON lines, one for each music file, sorted by path.
 *
 *   {"path":"x/y.mid","tunes":[{"target":"x/y.abc","notes":212,"characters":900}]}
 *
 * The record depends on the music files and the settings only.
 */
import { readFileSync } from 'node:fs';
import { writeFileWithFolders } from '../folder.ts';
import type { ConvertedTune, FailedTune } from './convert-file.ts';

/** The result of one tune: its figures, or why it failed. `target` is its ABC file, relative to the folder of them. */
export type RecordedTune = { target: string } & (ConvertedTune | FailedTune);

/** The results of a music file: one for each of its tunes. */
export interface RecordedFile {
  path: string;
  tunes: RecordedTune[];
  /** A part of it failed as a whole: it may have taken too long. So it is converted again by each run. */
  retry?: boolean;
}

/** The record's entry of a tune. */
export function recordedTune(target: string, tune: ConvertedTune | FailedTune): RecordedTune {
  return 'failed' in tune ? { target, failed: tune.failed } : { ...tune, target, reused: false };
}

/**
 * Reads a record.
 *
 * @returns the files by path; empty if the record is missing or damaged
 */
export function readRecord(file: string): Map<string, RecordedFile> {
  try {
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return new Map(
      lines.map((line) => {
        const { tunes, ...rest } = JSON.parse(line) as Line;
        return [rest.path, { ...rest, tunes: tunes.map(full) }];
      }),
    );
  } catch {
    return new Map();
  }
}

/**
 * Writes a record.
 *
 * @throws DiskError if it cannot be written
 */
export function writeRecord(file: string, files: readonly RecordedFile[]): void {
  const lines = files.map(({ tunes, ...rest }) => `${JSON.stringify({ ...rest, tunes: tunes.map(short) })}\n`);
  writeFileWithFolders(file, lines.join(''));
}

/** A line of the record. Fields of a tune that have their most common value are left out. */
interface Line extends Omit<RecordedFile, 'tunes'> {
  tunes: (Partial<ConvertedTune & FailedTune> & { target: string })[];
}

function short(tune: RecordedTune): Line['tunes'][number] {
  if ('failed' in tune) return { target: tune.target, failed: tune.failed };
  const { target, notes, characters, warnings, performance } = tune;
  return {
    target,
    notes,
    characters,
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(performance ? { performance } : {}),
  };
}

function full(tune: Line['tunes'][number]): RecordedTune {
  const { target, failed, notes = 0, characters = 0, warnings = [], performance = false } = tune;
  if (failed !== undefined) return { target, failed };
  return { target, notes, characters, warnings, performance, reused: false };
}
