/**
 * Where the LMDB stores of a project lie: in .repro, or on a disk of this machine if .repro is on a network file system.
 * LMDB maps its files into memory, and its locks hold within one system, so on NFS and the like its files get damaged,
 * or the process ends by SIGBUS.
 *
 * The stores can be made again: they hold leases, locks, and hashes that are remembered.
 */
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, statfsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { makePrivateFolder } from '../files/index.ts';

/**
 * File systems that other machines may write to, by the type of statfs(2).
 *
 * @see Linux, include/uapi/linux/magic.h; Lustre, GPFS and BeeGFS have theirs in their own sources
 */
const NETWORK_TYPES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x00c36400, // Ceph
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x65735546, // FUSE: sshfs, and many others
  0x5346414f, // OpenAFS
  0x01021997, // 9p
]);

/**
 * The folder of the project's LMDB stores. It need not exist.
 *
 * @param root the project's folder, absolute
 * @param named `state` of .repro/config.yaml: a folder on a local disk, relative to `root`; `~/` is the home folder
 * @throws ReproError if a folder outside of the project cannot be made, or other users can write to it
 */
export function stateFolder(root: string, named?: string): string {
  const own = join(root, '.repro');
  if (named !== undefined) return privateFolderFor(root, resolve(root, named.replace(/^~(?=\/|$)/, homedir())));
  return isOnNetwork(own) ? privateFolderFor(root, localFolder()) : own;
}

/** Whether a path is on a file system that other machines may write to. The path need not exist. */
export function isOnNetwork(path: string): boolean {
  let existing = path;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    return NETWORK_TYPES.has(statfsSync(existing).type);
  } catch {
    return false;
  }
}

/** This user's folder for such files on a disk of this machine: in $XDG_RUNTIME_DIR, or else among temporary files. */
export function localFolder(): string {
  const runtime = process.env.XDG_RUNTIME_DIR ?? '';
  return join(isAbsolute(runtime) ? runtime : tmpdir(), `repro-${process.geteuid?.() ?? 'user'}`);
}

/** The folder of one project in a folder for several. */
function privateFolderFor(root: string, parent: string): string {
  makePrivateFolder(parent);
  // All paths to the project must give the same folder.
  const hash = createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 16);
  const folder = join(parent, hash);
  makePrivateFolder(folder);
  return folder;
}
