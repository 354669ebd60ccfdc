/**
 * Finds a remote, copies to and from it, and says what a fetch would find there. A remote is a folder (transfer.ts) or a service behind rclone
 * (rclone-transfer.ts). It holds objects and runs, laid out as in .repro.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { statOrUndefined } from '../freshness/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { CONFIG, placeInConfig, readConfig } from './config.ts';
import type { TransferProgress } from './rclone.ts';
import { fetchByRclone, outlineOfRemote, pushByRclone } from './rclone-transfer.ts';
import { type FolderAddress, parseRemoteAddress, type RemoteAddress } from './remote-address.ts';
import { fetchFromFolder, pushToFolder, type TransferResult, type TransferSource } from './transfer.ts';

/**
 * The address of a remote.
 *
 * @param named a name in .repro/config.yaml (`remotes: {NAME: PATH}`) or an address, see remote-address.ts; undefined:
 *   the only remote there is
 * @throws ReproError if there is no such remote, if several and none is named, or if it is not a folder
 */
export async function findRemote(root: string, named: string | undefined): Promise<RemoteAddress> {
  const { remotes = {} } = await readConfig(root);
  const names = Object.keys(remotes);
  if (named === undefined && names.length !== 1)
    throw new ReproError(
      names.length === 0
        ? `there is no remote; name a folder with -r PATH, or add one to ${CONFIG}: remotes: {store: PATH}`
        : `there are several remotes (${names.join(', ')}); choose one with -r`,
    );
  const name = named ?? names[0];
  if (Object.hasOwn(remotes, name)) {
    try {
      return checkAddress(parseRemoteAddress(remotes[name], root));
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      throw new ReproError({ message: error.message, place: await placeInConfig(root, ['remotes', name]) });
    }
  }
  if (/^[^/\\.:~$\s]+$/.test(name) && !existsSync(resolve(name)))
    throw new ReproError(`there is no remote "${name}" in ${CONFIG}${suggestion(name, names)}, and no such folder`);
  return checkAddress(parseRemoteAddress(name, process.cwd()));
}

/** Returns the address. A remote that does not exist yet is made by a push. */
function checkAddress(address: RemoteAddress): RemoteAddress {
  const stat = address.kind === 'folder' ? statOrUndefined(address.folder) : undefined;
  if (stat !== undefined && !stat.isDirectory())
    throw new ReproError(`the remote ${(address as FolderAddress).folder} is a file; a remote is a folder`);
  return address;
}

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, to a remote.
 *
 * @throws ReproError if the remote cannot be written
 */
export function push(
  project: TransferSource,
  names: readonly string[],
  remote: RemoteAddress,
  onProgress?: (progress: TransferProgress) => void,
): Promise<TransferResult> {
  return remote.kind === 'folder'
    ? pushToFolder(project, names, remote.folder)
    : pushByRclone(project, names, remote, onProgress);
}

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, from a remote.
 *
 * @throws ReproError if the remote cannot be read
 */
export function fetch(
  project: TransferSource,
  names: readonly string[],
  remote: RemoteAddress,
  onProgress?: (progress: TransferProgress) => void,
): Promise<TransferResult> {
  return remote.kind === 'folder'
    ? fetchFromFolder(project, names, remote.folder)
    : fetchByRclone(project, names, remote, onProgress);
}

/**
 * A folder in which a forecast sees what a fetch of these stages would find: the remote itself, or a temporary outline of
 * one behind rclone, see outlineOfRemote.
 *
 * @returns `done`: call it when the forecast is made
 * @throws ReproError if the remote cannot be read
 */
export async function remoteForForecast(
  project: TransferSource,
  names: readonly string[],
  remote: RemoteAddress,
): Promise<{ folder: string; done(): void }> {
  if (remote.kind === 'folder') return { folder: remote.folder, done: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'repro-outline-'));
  const done = () => rmSync(folder, { recursive: true, force: true });
  try {
    await outlineOfRemote(project, names, remote, folder);
    return { folder, done };
  } catch (error) {
    done();
    throw error;
  }
}
