/**
 * `repro gc --remote`: lists, or with `--yes` removes, the files in a remote that no version of the lock needs.
 *
 * Everything stays that a lock of any branch, tag, stash or reflog of this repository names, and whatever was pushed
 * lately, since its lock may not have come here yet. Other projects in the same remote are named with `--project`.
 */
import { join, resolve } from 'node:path';
import { describeBytes, parseSeconds, plural, ReproError } from '../../messages/index.ts';
import { findRoot } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';
import { allVersions } from '../../results/index.ts';
import {
  findRemote,
  LOCK,
  type LockedStage,
  openRemoteStore,
  planRemoteGc,
  readLock,
  readRemote,
  removeFromRemote,
} from '../../storage/index.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';

/** Days for which a push is safe from gc. */
const DEFAULT_AGE = '14d';

/** Options of `repro gc` for a remote. */
export interface RemoteGcOptions {
  /** The name or address of the remote; true: the only one there is. */
  remote: string | true;
  yes?: boolean;
  /** Keep what was pushed within this time, such as "30d"; "0": nothing for its age. */
  age?: string;
  size?: string;
  /** Folders of other projects that use the remote. */
  project?: readonly string[];
  json?: boolean;
}

/**
 * Lists or removes what is not needed.
 *
 * @returns the exit code, 0
 * @throws ReproError if the remote is unknown or cannot be read, or if git cannot tell what the commits need
 */
export async function gcRemote(options: RemoteGcOptions): Promise<number> {
  const { age = DEFAULT_AGE } = options;
  if (options.size !== undefined)
    throw new ReproError('--size works only without --remote; use --age to choose what a remote keeps');
  const seconds = age === '0' ? 0 : parseSeconds(age);
  if (seconds === undefined) throw new ReproError(`--age ${age}: must be 0 or a time such as 12h or 30d`);
  const root = findRoot(process.cwd());
  const address = await findRemote(root, options.remote === true ? undefined : options.remote);
  const project = await openProject(process.cwd(), { write: false });
  try {
    const roots = [root, ...(options.project ?? []).map((folder) => findRoot(resolve(folder)))];
    const blocks: LockedStage[] = [];
    let commits = 0;
    for (const folder of roots) {
      const versions = await allVersions(folder, LOCK);
      commits += versions.commits;
      for (const text of versions.texts) blocks.push(...(await readLock(text)).values());
    }
    const store = openRemoteStore(address, join(root, '.repro/cache/incoming'));
    const newer = Date.now() - seconds * 1000;
    const plan = await planRemoteGc(await readRemote(store, project.cache.folder, newer), blocks, newer);
    if (options.yes) await removeFromRemote(store, plan);
    const { objects, runs, bytes, kept } = plan;
    if (options.json) {
      printJson({ objects: objects.length, runs: runs.length, bytes, kept, commits, freed: options.yes === true }, 2);
      return 0;
    }
    printLine(
      `${options.yes ? 'freed' : 'would free'} ${describeBytes(bytes)} in ${plural(objects.length, 'object')} of ${plural(runs.length, 'old run')} in ${store.name}; ${plural(kept, 'object')} of ${plural(commits, 'commit')} and of the last ${age} stay`,
    );
    if (options.yes || objects.length + runs.length === 0) return 0;
    printLine('files of other projects there count as old; name the folders of these projects with --project DIR');
    printLine('run it again with --yes to free it');
    return 0;
  } finally {
    await project.close();
  }
}
