/** Loads npm packages that the benchmarks compare with, from the folder that install-peers.sh made. */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Imports a package. If it is missing or not built for this platform, prints a message and returns undefined. */
// biome-ignore lint/suspicious/noExplicitAny: the types of packages that are not dependencies are unknown here
export async function importPeer(folder: string, name: string): Promise<any> {
  try {
    const path = createRequire(resolve(folder, 'package.json')).resolve(name);
    return await import(pathToFileURL(path).href);
  } catch (error) {
    console.log(`(${name} is left out: ${(error as Error).message.split('\n')[0]})`);
    return undefined;
  }
}
