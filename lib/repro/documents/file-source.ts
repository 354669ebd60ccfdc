/**
 * Where a pipeline's own files are read from: its folder, or its folder with some files edited in memory. A git
 * revision is another source: see results/revision-source.ts.
 */
import { join, normalize } from 'node:path';
import { readUtf8 } from '../freshness/index.ts';
import { describeError, ReproError } from '../messages/index.ts';

/** A place to read the pipeline's files from. */
export interface FileSource {
  /**
   * @param file path relative to the pipeline's folder
   * @returns the text; undefined if there is no such file
   * @throws ReproError if the file exists and cannot be read
   */
  read(file: string): Promise<string | undefined>;
}

/** New texts of files, by normalised path relative to the pipeline's folder. */
export type EditedFiles = ReadonlyMap<string, string>;

/** The empty set of edits: every file is read from disk. */
export const NO_EDITS: EditedFiles = new Map();

/**
 * The files of a folder.
 *
 * @param edited files to read from memory instead
 * @param readFile reads a file by absolute path; undefined if there is none
 */
export function folderSource(
  root: string,
  edited: EditedFiles = NO_EDITS,
  readFile: (path: string) => string | undefined = readIfThere,
): FileSource {
  return {
    read: async (file) => {
      const instead = edited.size > 0 ? edited.get(normalize(file)) : undefined;
      if (instead !== undefined) return instead;
      try {
        return readFile(join(root, file));
      } catch (error) {
        throw new ReproError({ message: `cannot be read: ${describeError(error)}`, place: { file } });
      }
    },
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readUtf8(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
