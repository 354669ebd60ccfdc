/** Writes the stamp of a run that left every stage fresh; freshness/fresh-stamp.ts reads it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { STAMP_FILE, type StampHeader, stampText } from '../freshness/index.ts';
import type { StatSnapshot } from './stat-snapshot.ts';

/**
 * Writes the stamp, unless the snapshot is not reliable or the file cannot be written.
 *
 * @param header the build of repro that is running, how many stages the pipeline has, and its headline
 */
export function writeFreshStamp(root: string, snapshot: StatSnapshot, header: StampHeader): void {
  if (!snapshot.isReliable) return;
  const text = stampText(root, header, snapshot.files, snapshot.folders);
  try {
    mkdirSync(join(root, '.repro'), { recursive: true });
    // fsync: a stamp cut short at the end of a line would look complete, and its last files would never be checked.
    writeAtomically(join(root, STAMP_FILE), text, { fsync: true });
  } catch {} // The disk is full, or the folder is read-only: the next call does the full check.
}
