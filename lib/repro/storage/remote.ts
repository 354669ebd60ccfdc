/** Finds the folder of a remote. It holds objects and runs, laid out as in .repro; transfer.ts copies them. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { statOrUndefined } from '../freshness/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { CONFIG, placeInConfig, readConfig } from './config.ts';
import { parseRemoteAddress } from './remote-address.ts';

/**
 * The folder of a remote.
 *
 * @param named a name in .repro/config.yaml (`remotes: {NAME: PATH}`) or an address, see remote-address.ts; undefined:
 *   the only remote there is
 * @throws ReproError if there is no such remote, if several and none is named, or if it is not a folder
 */
export async function remoteFolder(root: string, named: string | undefined): Promise<string> {
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
      return checkFolder(parseRemoteAddress(remotes[name], root).folder);
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      throw new ReproError({ message: error.message, place: await placeInConfig(root, ['remotes', name]) });
    }
  }
  if (/^[^/\\.:~$\s]+$/.test(name) && !existsSync(resolve(name)))
    throw new ReproError(`there is no remote "${name}" in ${CONFIG}${suggestion(name, names)}, and no such folder`);
  return checkFolder(parseRemoteAddress(name, process.cwd()).folder);
}

/** Returns the path. A remote that does not exist yet is made by a push. */
function checkFolder(path: string): string {
  const stat = statOrUndefined(path);
  if (stat !== undefined && !stat.isDirectory())
    throw new ReproError(`the remote ${path} is a file; a remote is a folder`);
  return path;
}
