/**
 * The files of a remote, in a folder or behind rclone, for operations on the whole remote (remote-gc.ts). Copying to
 * and from it is in transfer.ts and rclone-transfer.ts.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryPath } from '../files/index.ts';
import { readUtf8OrUndefined } from '../freshness/index.ts';
import { Rclone } from './rclone.ts';
import type { RemoteAddress } from './remote-address.ts';

/** A file in a remote. */
export interface RemoteFile {
  /** Bytes. */
  size: number;
  /** When it was written, in milliseconds since 1970. */
  time: number;
}

/** A remote. Paths are relative to it. */
export interface RemoteStore {
  /** As the user wrote it. */
  name: string;
  /** All files below a folder, by path. Empty if the folder does not exist. */
  files(folder: string): Promise<Map<string, RemoteFile>>;
  /** The texts of files. Those that are missing are left out. */
  texts(paths: readonly string[]): Promise<Map<string, string>>;
  remove(paths: readonly string[]): Promise<void>;
}

/** Opens a remote. @param staging a folder in which files may be kept while they are read; made if it is missing */
export function openRemoteStore(remote: RemoteAddress, staging: string): RemoteStore {
  if (remote.kind === 'folder') return folderStore(remote.folder);
  const rclone = new Rclone(remote.address, remote.url);
  return {
    name: remote.url,
    files: (folder) => rclone.files(folder),
    texts: async (paths) => {
      if (paths.length === 0) return new Map();
      mkdirSync(staging, { recursive: true });
      const folder = temporaryPath(join(staging, 'read'));
      mkdirSync(folder);
      try {
        await rclone.download(folder, paths);
        return textsIn(folder, paths);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    remove: (paths) => rclone.removeAll(paths),
  };
}

function folderStore(root: string): RemoteStore {
  return {
    name: root,
    files: async (folder) => {
      const found = new Map<string, RemoteFile>();
      if (statSync(join(root, folder), { throwIfNoEntry: false }) === undefined) return found;
      for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
        const path = join(folder, name);
        const stat = statSync(join(root, path), { throwIfNoEntry: false });
        // The change time, because a copy may keep the modification time of its source.
        if (stat?.isFile()) found.set(path, { size: stat.size, time: stat.ctimeMs });
      }
      return found;
    },
    texts: async (paths) => textsIn(root, paths),
    remove: async (paths) => {
      for (const path of paths) rmSync(join(root, path), { force: true });
    },
  };
}

function textsIn(folder: string, paths: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const path of paths) {
    const text = readUtf8OrUndefined(join(folder, path));
    if (text !== undefined) texts.set(path, text);
  }
  return texts;
}
