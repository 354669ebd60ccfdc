/**
 * Where the files that a pipeline is made of are read from: its folder as it is, or as it would be with some files edited.
 * A git revision (results/revision-source.ts) is another such place.
 */
import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { describeError, ReproError } from '../messages/index.ts';

export interface FileSource {
  /** `file` is relative to the pipeline's folder; undefined: there is no such file. Throws ReproError for one that cannot be read. */
  read(file: string): Promise<string | undefined>;
}

/** By file, as normalised. */
export type EditedFiles = ReadonlyMap<string, string>;

export const NO_EDITS: EditedFiles = new Map();

export function folderSource(root: string, edited: EditedFiles = NO_EDITS): FileSource {
  return {
    read: async (file) => {
      const instead = edited.size > 0 ? edited.get(normalize(file)) : undefined;
      if (instead !== undefined) return instead;
      try {
        return readFileSync(join(root, file), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw new ReproError({ message: `cannot be read: ${describeError(error)}`, place: { file } });
      }
    },
  };
}
