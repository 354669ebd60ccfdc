/** Names the files that a command about results passes over, on stderr, so that stdout holds only results. */
import { join } from 'node:path';
import { statOrUndefined } from '../freshness/index.ts';
import { listNames } from '../messages/index.ts';
import { printError } from './output.ts';

/**
 * Names the files that are missing, or that are folders.
 *
 * @param files paths relative to `root`
 * @param forFolders what to do about a folder
 * @returns those that were named
 */
export function reportGaps(root: string, files: readonly string[], forFolders = 'name a file in it'): string[] {
  const missing: string[] = [];
  const folders: string[] = [];
  for (const file of files) {
    const stat = statOrUndefined(join(root, file));
    if (stat === undefined) missing.push(file);
    else if (stat.isDirectory()) folders.push(file);
  }
  const [are, them] = missing.length === 1 ? ['is', 'it'] : ['are', 'them'];
  if (missing.length > 0)
    printError(
      `${listNames(missing)} ${are} missing; \`repro\` makes ${them}, and \`repro pull\` fetches ${them} from a remote`,
    );
  for (const folder of folders) printError(`${folder} is a folder; ${forFolders}`);
  return [...missing, ...folders];
}
