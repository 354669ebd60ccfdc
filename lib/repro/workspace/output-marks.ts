/**
 * Marks of outputs. A mark says that repro made these files, although the lock does not list them. So repro may remove
 * them later without asking the user.
 *
 *   .repro/unrecorded/STAGE   outputs of an attempt that failed, was killed, or ran with --no-commit
 *   .repro/ignored/STAGE      files within outputs that ignore rules leave out (hashing/ignore-rules.ts)
 */
import { closeSync, ftruncateSync, mkdirSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { openFile, readUtf8OrUndefined } from '../freshness/index.ts';
import { fileNameFor, type Stage } from '../pipeline/index.ts';
import { hasChangedSince, lastSignOfLife, signLife, treeSignature } from './stat-evidence.ts';

const outputsFile = (root: string, stage: Stage) => join(root, '.repro/unrecorded', fileNameFor(stage.name));
const ignoredFile = (root: string, stage: string) => join(root, '.repro/ignored', fileNameFor(stage));

/**
 * Marks the outputs of a stage before an attempt begins. Call it before the old outputs are removed: files that stand in
 * their place later are then known to be the attempt's.
 *
 * The mark also reserves disk space. `markUnrecorded` overwrites it, and works even if the stage has filled the disk.
 *
 * @throws Error of node:fs if the disk is full now
 */
export function markBegun(root: string, stage: Stage): void {
  const file = outputsFile(root, stage);
  const text = marks(stage, () => NO_SIGNATURE);
  mkdirSync(dirname(file), { recursive: true });
  writeAtomically(file, text, { fsync: false });
}

/** Notes that the attempt goes on, see `signLife`. */
export function signOutputs(root: string, stage: Stage): void {
  signLife(outputsFile(root, stage));
}

/** Removes the mark of an attempt whose outputs were recorded. */
export function unmarkOutputs(root: string, stage: Stage): void {
  rmSync(outputsFile(root, stage), { force: true });
}

/** Marks a stage's outputs as the work of an attempt, as they are now. Needs no room on the disk after `markBegun`. */
export function markUnrecorded(root: string, stage: Stage): void {
  try {
    const text = marks(stage, (path) => treeSignature(join(root, path)));
    const descriptor = openFile(outputsFile(root, stage), 'r+');
    try {
      ftruncateSync(descriptor, Buffer.byteLength(text));
      writeSync(descriptor, text, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch {} // Without the mark, the next attempt moves the outputs to the trash instead of removing them.
}

/** In place of a signature while the attempt runs, and after a kill. */
const NO_SIGNATURE = '0'.repeat(64);

/** The text of a mark. Its length depends on the paths only. */
function marks(stage: Stage, signatureOf: (path: string) => string): string {
  return JSON.stringify(Object.fromEntries(stage.outs.map(({ path }) => [path, signatureOf(path)])));
}

/**
 * Whether an output is unchanged since an attempt that was not recorded. If that attempt was killed, the output must not
 * have changed after the attempt's last sign of life.
 */
export function isMarkedUnrecorded(root: string, stage: Stage, path: string): boolean {
  const file = outputsFile(root, stage);
  const signature = readSignatures(file)?.[path];
  if (signature !== NO_SIGNATURE) return signature !== undefined && signature === treeSignature(join(root, path));
  // The files of a persisted output may be older than the attempt, because they are not removed before it. An incremental
  // stage begins with recorded files, or with none.
  const isKept = !stage.incremental && stage.outs.some((out) => out.path === path && out.persist);
  return !isKept && !hasChangedSince(join(root, path), lastSignOfLife(file));
}

/** Marks files that an attempt made within its outputs and that ignore rules leave out, as they are now. */
export function markIgnored(root: string, stage: string, paths: readonly string[]): void {
  const file = ignoredFile(root, stage);
  if (paths.length > 0) writeSignatures(root, file, paths);
  else rmSync(file, { force: true });
}

/** Whether a path was marked by `markIgnored` and is unchanged. */
export function isMarkedIgnored(root: string, stage: string, path: string): boolean {
  return hasSignature(root, ignoredFile(root, stage), path);
}

function writeSignatures(root: string, file: string, paths: readonly string[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const signatures = Object.fromEntries(paths.map((path) => [path, treeSignature(join(root, path))]));
  writeAtomically(file, JSON.stringify(signatures), { fsync: false });
}

function hasSignature(root: string, file: string, path: string): boolean {
  const signature = readSignatures(file)?.[path];
  return signature !== undefined && signature === treeSignature(join(root, path));
}

/** The signatures in a mark; undefined if there is none, or if it was cut short when repro was killed. */
function readSignatures(file: string): { [path: string]: string } | undefined {
  try {
    return JSON.parse(readUtf8OrUndefined(file) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}
