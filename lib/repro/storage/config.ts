/**
 * .repro/config.yaml: settings of this checkout. They are not part of the pipeline.
 *
 *   remotes: {store: /mnt/store}    # names of folders for push, pull and fetch
 *   cache: {type: hardlink}         # how outputs are kept if the file system cannot share blocks: see cache.ts
 *   state: /scratch/me              # a folder on a local disk for the LMDB stores: see hosts/state-folder.ts
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkAgainstSchema, type KeyPath, readDocument } from '../documents/index.ts';
import type { Place } from '../messages/index.ts';

/** Path of the file, relative to the pipeline's folder. */
export const CONFIG = '.repro/config.yaml';

/** The contents of the file; every setting is optional. */
export interface Config {
  remotes?: { [name: string]: string };
  cache?: { type?: 'copy' | 'hardlink' };
  state?: string;
}

const SCHEMA = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    remotes: { type: 'object', additionalProperties: { type: 'string' } },
    cache: {
      type: 'object',
      additionalProperties: false,
      properties: { type: { enum: ['copy', 'hardlink'] } },
    },
    state: { type: 'string', minLength: 1 },
  },
};

/**
 * Reads the file; a missing one has no settings.
 *
 * @throws ReproError if it is not valid YAML or breaks the schema
 */
export async function readConfig(root: string): Promise<Config> {
  if (!existsSync(join(root, CONFIG))) return {};
  const document = await readDocument(join(root, CONFIG), CONFIG);
  await checkAgainstSchema(document, SCHEMA, CONFIG);
  return (document.value ?? {}) as Config;
}

/** The place of a setting that the file has, for messages. */
export async function placeInConfig(root: string, path: KeyPath): Promise<Place> {
  return (await readDocument(join(root, CONFIG), CONFIG)).at(path, 'value');
}
