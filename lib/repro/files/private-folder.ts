/**
 * A folder that only this user can write to. Use it for files outside of a project, such as leases, whose names anyone
 * on the machine can foresee: another user may have made the folder, or a link in its place, before repro does.
 */
import { lstatSync } from 'node:fs';
import { describeError, ReproError } from '../messages/index.ts';
import { makeFolder } from './make-folder.ts';

/** Permissions of a folder that let its group or others write. */
const OTHERS_MAY_WRITE = 0o022;

/**
 * Makes the folder `path` if there is none, for this user alone.
 *
 * @param path absolute; folders above it are made too
 * @throws ReproError if it cannot be made, is not a folder, belongs to another user, or others may write to it
 */
export function makePrivateFolder(path: string): void {
  try {
    makeFolder(path, 0o700);
  } catch (error) {
    throw new ReproError(`the folder ${path} cannot be made: ${describeError(error)}`);
  }
  // lstat, because a link may lead into a folder of this user.
  const stat = lstatSync(path);
  const problem = !stat.isDirectory()
    ? 'is not a folder'
    : stat.uid !== process.geteuid?.()
      ? 'belongs to another user'
      : (stat.mode & OTHERS_MAY_WRITE) !== 0
        ? 'can be written to by other users'
        : undefined;
  if (problem !== undefined) throw new ReproError(`${path} ${problem}, so what is in it cannot be trusted; remove it`);
}
