/** Programs that the benches stand beside, from a folder that install-peers.sh made. */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A package of that folder; undefined, and said so, where it is not there or not for this platform. */
// biome-ignore lint/suspicious/noExplicitAny: the types of packages that are no dependency are not known here
export async function importPeer(folder: string, name: string): Promise<any> {
  try {
    const path = createRequire(resolve(folder, 'package.json')).resolve(name);
    return await import(pathToFileURL(path).href);
  } catch (error) {
    console.log(`(${name} is left out: ${(error as Error).message.split('\n')[0]})`);
    return undefined;
  }
}
