/**
 * The headline of a pipeline: the first lines of a text file that a stage makes. A run on a terminal ends with them, also
 * if there was nothing to do.
 */
import { closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { openFile } from './regular-file.ts';

/** More lines would push the summary of the run out of sight. */
const MAX_LINES = 8;
/** Bytes that are read of the file. */
const MAX_BYTES = 4096;

/**
 * Reads the headline.
 *
 * @param root the pipeline's folder
 * @param file relative to `root`
 * @returns its lines, without blank ones at the end; none if the file is missing, unreadable or not a plain file
 */
export function readHeadline(root: string, file: string): string[] {
  try {
    const descriptor = openFile(join(root, file));
    try {
      const bytes = Buffer.alloc(MAX_BYTES);
      const text = bytes.toString('utf8', 0, readSync(descriptor, bytes));
      return text.trimEnd().split('\n').slice(0, MAX_LINES);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return [];
  }
}
