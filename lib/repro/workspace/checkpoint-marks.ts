/**
 * Marks of checkpoints, `.repro/attempting/STAGE`: which inputs a checkpoint belongs to, and which of its files
 * attempts at the stage have made. A checkpoint stays between attempts, so a person may put files into it.
 *
 *   a file that a person changed after an attempt ended     moved to the trash before the next attempt
 *   one that may be of an attempt that was killed           stays for the next attempt, which may need it; if that one
 *                                                           leaves it as it is, it is moved to the trash, not removed
 */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { readUtf8OrUndefined } from '../freshness/index.ts';
import { fileNameFor, type Stage } from '../pipeline/index.ts';
import { fileSignatures, lastSignOfLife, type Signatures, signLife } from './stat-evidence.ts';
import { removeUserPath } from './user-files.ts';

/** The text of a mark, as JSON. */
interface Mark {
  /** The key of the inputs of the attempt. */
  key: string;
  /** The checkpoint. */
  path: string;
  /** The attempt's files when it ended. Absent while it runs, and after a kill. */
  own?: Signatures;
  /** Files that existed when it began. It is not known whether an attempt made them. */
  unsure?: Signatures;
}

const markFile = (root: string, stage: Stage) => join(root, '.repro/attempting', fileNameFor(stage.name));

/** The key of the inputs of the attempt that made the stage's checkpoint; undefined if no attempt did. */
export function checkpointKey(root: string, stage: Stage): string | undefined {
  return readMark(root, stage)?.key;
}

/** Marks a stage's checkpoint as one of an attempt with the inputs `key`, which begins now. */
export function markCheckpoint(root: string, stage: Stage, key: string): void {
  const file = markFile(root, stage);
  const unsure = unsureFiles(root, stage, readMark(root, stage));
  mkdirSync(dirname(file), { recursive: true });
  write(file, { key, path: stage.checkpoint!, ...(Object.keys(unsure).length > 0 ? { unsure } : {}) });
}

/** Notes that the attempt goes on, see `signLife`. */
export function signCheckpoint(root: string, stage: Stage): void {
  if (stage.checkpoint !== undefined) signLife(markFile(root, stage));
}

/** Marks the checkpoint's files as the work of the attempt, which has just ended. */
export function markCheckpointEnd(root: string, stage: Stage): void {
  const mark = readMark(root, stage);
  if (mark === undefined) return;
  try {
    const { key, path, unsure = {} } = mark;
    const own = Object.entries(fileSignatures(join(root, path))).filter(([name, now]) => unsure[name] !== now);
    write(markFile(root, stage), { key, path, own: Object.fromEntries(own) });
  } catch {} // The disk is full. The mark still says that the attempt has begun, so nothing is lost.
}

/** Removes a stage's checkpoint, if it has one, with its mark. */
export function removeCheckpoint(root: string, stage: Stage): void {
  if (stage.checkpoint === undefined) return;
  removeUserPath(root, stage.checkpoint);
  rmSync(markFile(root, stage), { force: true });
}

/**
 * The files in a stage's checkpoint that must not be removed or used by an attempt that begins.
 *
 * @param key of the inputs of that attempt; undefined if they are not known yet
 * @returns paths relative to `root`
 */
export function strangeFiles(root: string, stage: Stage, key: string | undefined): string[] {
  const mark = readMark(root, stage);
  if (mark === undefined) return [];
  const { own, path } = mark;
  const files = fileSignatures(join(root, path));
  if (own !== undefined)
    return pathsIn(
      path,
      names(files, (name, now) => own[name] !== now),
    );
  // Files that a killed attempt may have left are kept for the next attempt with the same inputs.
  return key === undefined || key === mark.key ? [] : pathsIn(path, Object.keys(unsureFiles(root, stage, mark)));
}

/**
 * The files in a stage's checkpoint that were there before the attempt, which has just ended, and that it did not need.
 */
export function untouchedFiles(root: string, stage: Stage): string[] {
  const { unsure = {}, path } = readMark(root, stage) ?? { path: '' };
  if (Object.keys(unsure).length === 0) return [];
  return pathsIn(
    path,
    names(fileSignatures(join(root, path)), (name, now) => unsure[name] === now),
  );
}

/** Files that a killed attempt may have made; it is not known whether it did. */
function unsureFiles(root: string, stage: Stage, mark: Mark | undefined): Signatures {
  if (mark === undefined || mark.own !== undefined) return {};
  const { unsure = {}, path } = mark;
  const all = fileSignatures(join(root, path));
  const late = fileSignatures(join(root, path), lastSignOfLife(markFile(root, stage)));
  return Object.fromEntries(Object.entries(all).filter(([name, now]) => name in late || unsure[name] === now));
}

function names(files: Signatures, isWanted: (name: string, signature: string) => boolean): string[] {
  return Object.entries(files).flatMap(([name, signature]) => (isWanted(name, signature) ? name : []));
}

function pathsIn(path: string, files: readonly string[]): string[] {
  return files.map((name) => (name === '' ? path : `${path}/${name}`));
}

function readMark(root: string, stage: Stage): Mark | undefined {
  if (stage.checkpoint === undefined) return undefined;
  const text = readUtf8OrUndefined(markFile(root, stage));
  if (text === undefined || text === '') return undefined;
  const mark = parseMark(text);
  // A mark of an early version of repro has the key alone.
  const isOwn = mark.path === undefined ? stage.checkpoint.startsWith('.repro/') : mark.path === stage.checkpoint;
  return isOwn && mark.key !== '' ? { ...mark, path: stage.checkpoint } : undefined;
}

function parseMark(text: string): Omit<Mark, 'path'> & { path?: string } {
  try {
    const mark = JSON.parse(text) as Mark;
    if (typeof mark.key === 'string' && typeof mark.path === 'string') return mark;
  } catch {} // A mark of an earlier version of repro: the key, and the path on a second line.
  const [key, path] = text.split('\n');
  return { key, ...(path === undefined ? {} : { path }) };
}

function write(file: string, mark: Mark): void {
  writeAtomically(file, JSON.stringify(mark), { fsync: false });
}
