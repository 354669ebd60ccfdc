/**
 * .repro/config.yaml: settings of this checkout. They are not part of the pipeline.
 *
 *   remotes: {store: /mnt/store}    # names of folders for push, pull and fetch
 *   cache: {dir: /data/cache}       # a cache that several projects share: see shared-cache.ts
 *   cache: {type: hardlink}         # how outputs are kept if the file system cannot share blocks: see cache.ts
 *   state: /scratch/me              # a folder on a local disk for the LMDB stores: see hosts/state-folder.ts
 *   executor: {slurm: {…}}          # stages run as jobs of Slurm: see slurm/settings.ts
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkWith, type KeyPath, parseSettings, readDocument, readText } from '../documents/index.ts';
import { readUtf8OrUndefined } from '../freshness/index.ts';
import { type Place, ReproError } from '../messages/index.ts';

/** Path of the file, relative to the pipeline's folder. */
export const CONFIG = '.repro/config.yaml';

/** The contents of the file; every setting is optional. config.schema.json has the same. */
export interface Config {
  remotes?: { [name: string]: string };
  cache?: { type?: 'copy' | 'hardlink'; dir?: string };
  state?: string;
  executor?: { slurm?: SlurmConfig };
}

/** How stages run as jobs of Slurm. docs/cluster.md describes each key. */
export interface SlurmConfig {
  args?: string[];
  stages?: { [group: string]: string[] };
  prologue?: string;
  local?: string[];
  jobs?: number;
  /** These are durations, such as 30s. */
  poll?: string | number;
  warn?: string | number;
  latency?: string | number;
  /** Whether a probe job asks if the nodes see the folder. */
  probe?: boolean;
  /** How often a stage that ran into its time limit goes on from its checkpoint. */
  continues?: number;
}

/** The file that was read last. One call of repro asks for its settings several times. */
let known: { path: string; text: string; config: Config } | undefined;

/**
 * Reads the file; a missing one has no settings.
 *
 * @throws ReproError if it is not valid YAML or breaks the schema
 */
export async function readConfig(root: string): Promise<Config> {
  const path = join(root, CONFIG);
  if (!existsSync(path)) return {};
  const text = readText(path, CONFIG);
  if (known?.path === path && known.text === text) return known.config;
  const document = await parseSettings(text, CONFIG);
  checkWith(document, (await import('./config-validator.ts')).validate);
  known = { path, text, config: (document.value ?? {}) as Config };
  return known.config;
}

/**
 * The folder of a shared cache, absolute; undefined if the project has a cache of its own.
 *
 * @throws ReproError if the setting is not a folder outside of the project
 */
export async function sharedCacheFolder(root: string): Promise<string | undefined> {
  if (!mayHave(root, 'dir')) return undefined;
  const { cache } = await readConfig(root);
  if (cache?.dir === undefined) return undefined;
  const place = await placeInConfig(root, ['cache', 'dir']);
  const refuse = (why: string) => new ReproError({ message: `cache.dir ${why}`, place });
  if (/^[~$]|^[a-z][a-z0-9+.-]+:/i.test(cache.dir))
    throw refuse(`must be the path of a folder, but is ${JSON.stringify(cache.dir)}`);
  const folder = resolve(root, cache.dir);
  if (folder === root || folder.startsWith(`${root}/`))
    throw refuse(`must be a folder outside of the pipeline's folder; without it, the cache is in .repro/cache`);
  return folder;
}

/** Whether outputs and the cache share files by hard links where the file system cannot share blocks. */
export async function hasHardLinks(root: string): Promise<boolean> {
  return mayHave(root, 'type') && (await readConfig(root)).cache?.type === 'hardlink';
}

/** Whether the file may have a setting. Most files do not have it, and then the YAML library need not be loaded. */
function mayHave(root: string, key: string): boolean {
  return new RegExp(`\\b${key}["']?\\s*:`).test(readUtf8OrUndefined(join(root, CONFIG)) ?? '');
}

/** The place of a setting that the file has, for messages. */
export async function placeInConfig(root: string, path: KeyPath): Promise<Place> {
  return (await readDocument(join(root, CONFIG), CONFIG)).at(path, 'value');
}
