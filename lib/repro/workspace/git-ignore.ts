/** Adds lines to .gitignore. Lines that are there stay as they are. */
import { join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { readUtf8, statOrUndefined } from '../freshness/index.ts';

const FILE = '.gitignore';

/**
 * Adds patterns to the .gitignore of a folder. A pattern that it has, with or without a slash at its ends, is not added.
 *
 * @param folder an absolute path
 * @returns the patterns that were added
 */
export function addToGitignore(folder: string, patterns: readonly string[]): string[] {
  const file = join(folder, FILE);
  const text = statOrUndefined(file) === undefined ? '' : readUtf8(file);
  const bare = (pattern: string) => pattern.trim().replace(/^\/|\/$/g, '');
  const known = new Set(text.split('\n').map(bare));
  const missing = patterns.filter((pattern) => !known.has(bare(pattern)));
  if (missing.length > 0) {
    const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
    writeAtomically(file, `${start}${missing.map((pattern) => `${pattern}\n`).join('')}`, { fsync: true });
  }
  return missing;
}
