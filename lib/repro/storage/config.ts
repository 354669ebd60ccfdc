/**
 * .repro/config.yaml: what holds for this checkout alone, and is not part of the pipeline.
 *
 *   remotes: {store: /mnt/store}    # folders that push, pull and fetch know by name
 *   cache: {type: hardlink}         # how outputs are kept, where the file system cannot share them by itself: see cache.ts
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkAgainstSchema, readDocument } from '../documents/index.ts';

export const CONFIG = '.repro/config.yaml';

export interface Config {
  remotes?: { [name: string]: string };
  cache?: { type?: 'copy' | 'hardlink' };
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
  },
};

/** Throws ReproError for what it cannot mean. */
export async function readConfig(root: string): Promise<Config> {
  if (!existsSync(join(root, CONFIG))) return {};
  const document = await readDocument(join(root, CONFIG), CONFIG);
  await checkAgainstSchema(document, SCHEMA, CONFIG);
  return (document.value ?? {}) as Config;
}
