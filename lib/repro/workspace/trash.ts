/**
 * The trash, `.repro/trash`: files that stood where a stage writes, and of whose content repro has no record. Each move
 * is a folder: `moved.json` says what was moved, and `files` holds it. `repro gc --yes` empties the trash.
 */
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { readUtf8 } from '../freshness/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { fileNameFor, isOutside } from '../pipeline/index.ts';
import { checkInside } from './user-files.ts';

const TRASH = '.repro/trash';

/** Files that were moved together, for one stage. */
interface Move {
  stage: string;
  /** ISO 8601 time of the move. */
  time: string;
  /** Relative to the root. */
  paths: string[];
}

/** A file or folder in the trash. */
export interface TrashEntry {
  /** Where it stood, relative to the root. */
  path: string;
  /** The stage that was about to write there. */
  stage: string;
  /** When it was moved, in ISO 8601. */
  time: string;
  /** Where it is now, relative to the root. */
  location: string;
  /** The folder of the move, relative to the root. */
  folder: string;
}

/**
 * Moves files and folders to the trash.
 *
 * @param paths relative to `root`; each exists
 * @returns the folder that holds them now, relative to `root`
 * @throws ReproError if a symbolic link leads from `root` to one of them outside of it; then nothing was moved
 */
export function moveToTrash(root: string, stage: string, paths: readonly string[]): string {
  for (const path of paths) checkInside(root, path);
  const time = new Date().toISOString();
  const name = `${time.replaceAll(':', '-')}-${fileNameFor(stage)}`;
  let folder = `${TRASH}/${name}`;
  for (let n = 2; existsSync(join(root, folder)); n++) folder = `${TRASH}/${name}-${n}`;
  const move: Move = { stage, time, paths: [...paths] };
  mkdirSync(join(root, folder), { recursive: true });
  writeAtomically(join(root, folder, 'moved.json'), `${JSON.stringify(move)}\n`, { fsync: true });
  for (const path of paths) moveTree(join(root, path), join(root, folder, 'files', path));
  return `${folder}/files`;
}

/** The entries of the trash, the oldest first. */
export function listTrash(root: string): TrashEntry[] {
  const folder = join(root, TRASH);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const move = readMove(join(folder, name, 'moved.json'));
      if (move === undefined) return [];
      return move.paths
        .map((path) => ({
          path,
          stage: move.stage,
          time: move.time,
          location: `${TRASH}/${name}/files/${path}`,
          folder: `${TRASH}/${name}`,
        }))
        .filter(({ location }) => exists(join(root, location)));
    });
}

/**
 * Reads what was moved.
 *
 * @returns undefined if repro cannot have written the file. Paths that repro never moves are left out.
 */
function readMove(file: string): Move | undefined {
  let move: Partial<Move> | null;
  try {
    move = JSON.parse(readUtf8(file));
  } catch {
    return undefined; // Not a folder of the trash, or one whose move never began.
  }
  if (typeof move?.stage !== 'string' || typeof move.time !== 'string' || !Array.isArray(move.paths)) return undefined;
  return { stage: move.stage, time: move.time, paths: move.paths.filter(isMovable) };
}

/** Whether repro may have moved this path: an output or a checkpoint lies inside of the root, and not in .git. */
function isMovable(path: unknown): path is string {
  if (typeof path !== 'string' || path === '' || path.includes('\0') || isOutside(path)) return false;
  return !path.split('/').some((part) => part === '.' || part === '..' || part === '.git');
}

/**
 * Puts what was last moved from `path` back. Nothing is overwritten.
 *
 * @throws ReproError if the trash has nothing from this path, or if something stands there now
 */
export function restoreFromTrash(root: string, path: string): TrashEntry {
  const entries = listTrash(root);
  const entry = entries.filter((each) => each.path === path).at(-1);
  if (entry === undefined) {
    const near = suggestion(
      path,
      entries.map((each) => each.path),
    );
    throw new ReproError(`the trash has nothing from "${path}"${near}; \`repro trash\` lists what it has`);
  }
  if (exists(join(root, path)))
    throw new ReproError(`${path} exists and is not overwritten; move it away first, or copy ${entry.location}`, 1);
  checkInside(root, path);
  moveTree(join(root, entry.location), join(root, path));
  if (listTrash(root).every(({ folder }) => folder !== entry.folder)) emptyTrash(root, [entry.folder]);
  return entry;
}

/** The folders of moves that a kill ended before anything was moved, relative to the root. */
export function emptyMoves(root: string): string[] {
  const folder = join(root, TRASH);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => lstatSync(join(folder, name)).isDirectory() && readdirSync(join(folder, name)).length === 0)
    .map((name) => `${TRASH}/${name}`);
}

/** Deletes folders of the trash for good. */
export function emptyTrash(root: string, folders: Iterable<string>): void {
  for (const folder of folders) rmSync(join(root, folder), { recursive: true, force: true });
}

/** Whether there is anything at this path, also a symbolic link to nothing. */
function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Renames, or copies and then removes if the two paths are on different disks. Symbolic links are moved as links. */
function moveTree(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, errorOnExist: true });
    rmSync(from, { recursive: true, force: true });
  }
}
