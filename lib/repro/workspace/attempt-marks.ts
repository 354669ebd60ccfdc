/**
 * Marks of attempts, which say what in the workspace an attempt at a stage has made although no lock records it:
 *
 *   .repro/attempting/STAGE   the checkpoint is of an attempt with these inputs
 *   .repro/unrecorded/STAGE   these outputs are of an attempt that failed, or that was not to be recorded
 *   .repro/ignored/STAGE      these paths in outputs are of an attempt, but do not count (hashing/ignore-rules.ts)
 */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { statSignature } from '../freshness/index.ts';
import { fileNameFor, type Stage } from '../pipeline/index.ts';

const checkpointFile = (root: string, stage: Stage) => join(root, '.repro/attempting', fileNameFor(stage.name));
const outputsFile = (root: string, stage: Stage) => join(root, '.repro/unrecorded', fileNameFor(stage.name));
const ignoredFile = (root: string, stage: string) => join(root, '.repro/ignored', fileNameFor(stage));

/** Marks a stage's checkpoint as one of an attempt with the inputs `key`. */
export function markCheckpoint(root: string, stage: Stage, key: string): void {
  const file = checkpointFile(root, stage);
  mkdirSync(dirname(file), { recursive: true });
  writeAtomically(file, `${key}\n${stage.checkpoint}\n`, { fsync: false });
}

/** The key of the inputs of the attempt that made the stage's checkpoint; undefined if no attempt did. */
export function checkpointKey(root: string, stage: Stage): string | undefined {
  const [key, path] = (readOrUndefined(checkpointFile(root, stage)) ?? '').split('\n');
  // A mark of an earlier version of repro has the key alone.
  const isOwn = path === undefined ? stage.checkpoint?.startsWith('.repro/') : path === stage.checkpoint;
  return isOwn && key !== '' ? key : undefined;
}

/** Removes the mark of a checkpoint that was removed. */
export function unmarkCheckpoint(root: string, stage: Stage): void {
  rmSync(checkpointFile(root, stage), { force: true });
}

/**
 * Makes room for the mark of `markUnrecorded`, which may be needed when the stage has filled the disk. Call it before
 * anything of the stage is removed.
 *
 * @throws Error of node:fs if the disk is full now
 */
export function prepareMark(root: string, stage: Stage): void {
  const file = outputsFile(root, stage);
  const text = marks(stage, () => NO_SIGNATURE);
  if (statSync(file, { throwIfNoEntry: false })?.size === Buffer.byteLength(text)) return;
  mkdirSync(dirname(file), { recursive: true });
  writeAtomically(file, text, { fsync: false });
}

/** Marks a stage's outputs as the work of an attempt, as they are now. Needs no room on the disk after `prepareMark`. */
export function markUnrecorded(root: string, stage: Stage): void {
  try {
    const text = marks(stage, (path) => treeSignature(join(root, path)));
    const descriptor = openSync(outputsFile(root, stage), 'r+');
    try {
      ftruncateSync(descriptor, Buffer.byteLength(text));
      writeSync(descriptor, text, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch {} // Without the mark, the next attempt moves the outputs to the trash instead of removing them.
}

const NO_SIGNATURE = '0'.repeat(64);

/** The text of a mark. Its length depends on the paths only. */
function marks(stage: Stage, signatureOf: (path: string) => string): string {
  return JSON.stringify(Object.fromEntries(stage.outs.map(({ path }) => [path, signatureOf(path)])));
}

/** Whether an output is as an attempt left it that was not recorded. */
export function isMarkedUnrecorded(root: string, stage: Stage, path: string): boolean {
  return hasSignature(root, outputsFile(root, stage), path);
}

/** Marks paths in a stage's outputs that do not count as the work of an attempt, as they are now. */
export function markIgnored(root: string, stage: string, paths: readonly string[]): void {
  const file = ignoredFile(root, stage);
  if (paths.length > 0) writeSignatures(root, file, paths);
  else rmSync(file, { force: true });
}

/** Whether a path in a stage's outputs, which does not count, is as an attempt left it. */
export function isMarkedIgnored(root: string, stage: string, path: string): boolean {
  return hasSignature(root, ignoredFile(root, stage), path);
}

function writeSignatures(root: string, file: string, paths: readonly string[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const signatures = Object.fromEntries(paths.map((path) => [path, treeSignature(join(root, path))]));
  writeAtomically(file, JSON.stringify(signatures), { fsync: false });
}

function hasSignature(root: string, file: string, path: string): boolean {
  const text = readOrUndefined(file);
  if (text === undefined) return false;
  try {
    const signature = (JSON.parse(text) as { [path: string]: string })[path];
    return signature !== undefined && signature === treeSignature(join(root, path));
  } catch {
    return false; // The file was cut short when repro was killed.
  }
}

/** A hash of the stat signatures of a file, or of everything in a folder. It is cheap, because no file is read. */
function treeSignature(path: string): string {
  const hash = createHash('sha256');
  // Names as bytes: they need not be UTF-8.
  const add = (absolute: Buffer) => {
    const stat: BigIntStats | undefined = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    hash.update(absolute).update(`\0${stat === undefined ? '' : statSignature(stat)}\0`);
    if (!stat?.isDirectory()) return;
    const names = readdirSync(absolute, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const name of names) add(Buffer.concat([absolute, Buffer.from('/'), name]));
  };
  add(Buffer.from(path));
  return hash.digest('hex');
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
