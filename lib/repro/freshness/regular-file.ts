/**
 * Opens plain files, and nothing else. To open a FIFO or a device would wait for another program, perhaps for ever, or
 * start something. All of lib/repro opens files here.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;

/** As for `fs.open`. */
const FLAGS = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  a: O_WRONLY | O_CREAT | O_APPEND,
};

/**
 * Opens a plain file. Symbolic links are followed.
 *
 * @returns the file descriptor
 * @throws Error of node:fs; with the code EISDIR for a folder, and ENXIO for a FIFO, a socket or a device
 */
export function openFile(path: string | Buffer, flags: keyof typeof FLAGS = 'r'): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, FLAGS[flags] | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    // A socket, a device without hardware, or a FIFO that nobody reads.
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') throw notAFile(path, statSync(path));
    throw error;
  }
  const stat = fstatSync(descriptor);
  if (stat.isFile()) return descriptor;
  closeSync(descriptor);
  throw notAFile(path, stat);
}

/**
 * Why a path that another program will read cannot be read as a file.
 *
 * @returns the end of a sentence, such as "it is a FIFO, not a file"; undefined for a file or a folder, or if there is nothing
 */
export function whyNotFile(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined || stat.isFile() || stat.isDirectory() ? undefined : notAFile(path, stat).message;
}

function notAFile(path: string | Buffer, stat: Stats): NodeJS.ErrnoException {
  const isFolder = stat.isDirectory();
  const what = isFolder ? 'a folder' : stat.isFIFO() ? 'a FIFO' : stat.isSocket() ? 'a socket' : 'a device';
  const code = isFolder ? 'EISDIR' : 'ENXIO';
  return Object.assign(new Error(`it is ${what}, not a file`), { code, path: path.toString(), syscall: 'open' });
}

/**
 * Reads a plain file.
 *
 * @throws as `openFile`
 */
export function readBytes(path: string | Buffer): Buffer {
  const descriptor = openFile(path);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads a plain file as UTF-8.
 *
 * @throws as `openFile`
 */
export function readUtf8(path: string | Buffer): string {
  const descriptor = openFile(path);
  try {
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads a plain file of repro's own, which it can do without.
 *
 * @returns undefined if it is missing or cannot be read
 */
export function readUtf8OrUndefined(path: string): string | undefined {
  try {
    return readUtf8(path);
  } catch {
    return undefined;
  }
}
