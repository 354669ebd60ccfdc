/**
 * Calls rclone, which copies files to and from S3, Google Cloud Storage, Azure, SFTP and many others. The program is not
 * part of repro: it is the one on the PATH, with the user's own settings and credentials.
 *
 * Old versions leave a file that was cut short under its final name if they are killed (1.60 over SFTP). So the size of
 * each file is compared before an upload, and the content after a download; see rclone-transfer.ts.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryPath } from '../files/index.ts';
import { ReproError } from '../messages/index.ts';

/** The oldest version with all the options that are used here. */
const OLDEST = [1, 54] as const;
/** Exit codes of rclone, see "Exit code" in its documentation. */
const FOLDER_NOT_FOUND = 3;
const FILE_NOT_FOUND = 4;
/** Files that are copied at the same time. */
const AT_ONCE = '8';

/** How far a copy is. */
export interface TransferProgress {
  files: number;
  allFiles: number;
  bytes: number;
  allBytes: number;
}

/** The files below an address of rclone. Paths are relative to it. Each method throws if rclone is missing or too old. */
export class Rclone {
  readonly #address: string;
  /** The address as the user wrote it. */
  readonly #url: string;
  readonly #onProgress: (progress: TransferProgress) => void;

  /**
   * @param address in rclone's form, such as "lab:study" or ":s3,env_auth=true:bucket"
   * @param url for messages
   */
  constructor(address: string, url: string, onProgress: (progress: TransferProgress) => void = () => {}) {
    this.#address = address;
    this.#url = url;
    this.#onProgress = onProgress;
  }

  /**
   * All files below a folder, by path relative to the address. Empty if the folder does not exist. The time is that of
   * the upload where the service keeps one.
   *
   * @throws ReproError if the remote cannot be read
   */
  async files(folder: string): Promise<Map<string, { size: number; time: number }>> {
    const options = ['--recursive', '--files-only', '--fast-list', '--no-mimetype', '--use-server-modtime'];
    const { exitCode, stdout, stderr } = await this.#run(['lsjson', ...options, this.#at(folder)]);
    if (exitCode === FOLDER_NOT_FOUND) return new Map();
    if (exitCode !== 0) throw await this.#failed('cannot be read', stderr);
    const items: { Path: string; Size: number; ModTime: string }[] = JSON.parse(stdout);
    return new Map(
      items.map(({ Path, Size, ModTime }) => [`${folder}/${Path}`, { size: Size, time: Date.parse(ModTime) }]),
    );
  }

  /**
   * Copies files from a folder of this machine. Files of the same names there are replaced.
   *
   * @param paths relative to the folder and to the address
   * @throws ReproError if not all could be copied
   */
  async upload(folder: string, paths: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await this.#copy(folder, this.#address, paths);
    if (exitCode !== 0) throw await this.#failed('cannot be written', stderr);
  }

  /**
   * Copies files to a folder of this machine. Those that the remote lacks are left out.
   *
   * @throws ReproError if others could not be copied
   */
  async download(folder: string, paths: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await this.#copy(this.#address, folder, paths);
    if (exitCode === FOLDER_NOT_FOUND || exitCode === FILE_NOT_FOUND) return;
    if (exitCode !== 0) throw await this.#failed('cannot be read', stderr);
  }

  /** Removes a file, if that is possible. @returns whether it was */
  async remove(path: string): Promise<boolean> {
    return (await this.#run(['deletefile', this.#at(path)])).exitCode === 0;
  }

  /**
   * Removes files, but not those that are missing.
   *
   * @throws ReproError if not all could be removed
   */
  async removeAll(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return;
    const { exitCode, stderr } = await this.#withList(paths, (list) => ['delete', this.#address, ...list]);
    if (exitCode !== 0) throw await this.#failed('cannot be written', stderr);
  }

  /** Copies the files in a list. What is at the destination is not looked at: the caller has compared the sizes. */
  async #copy(from: string, to: string, paths: readonly string[]): Promise<Result> {
    if (paths.length === 0) return { exitCode: 0, stdout: '', stderr: '' };
    const options = ['--no-check-dest', '--use-json-log', '--stats', '1s', '--stats-log-level', 'NOTICE'];
    return this.#withList(paths, (list) => ['copy', from, to, ...list, ...options]);
  }

  /** Calls rclone with the options for the files in a list. */
  async #withList(paths: readonly string[], args: (list: readonly string[]) => string[]): Promise<Result> {
    const list = temporaryPath(join(tmpdir(), 'repro-files'));
    try {
      writeFileSync(list, paths.map((path) => `${path}\n`).join(''), { flag: 'wx', mode: 0o600 });
      return await this.#run(args(['--files-from-raw', list, '--no-traverse', '--transfers', AT_ONCE]));
    } finally {
      rmSync(list, { force: true });
    }
  }

  #at(path: string): string {
    return `${this.#address}${/[:/]$/.test(this.#address) ? '' : '/'}${path}`;
  }

  async #run(args: readonly string[]): Promise<Result> {
    const { execa } = await import('execa');
    const call = execa('rclone', args, { reject: false, stdin: 'ignore', stripFinalNewline: false, buffer: true });
    call.stderr?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) {
        const progress = progressIn(line);
        if (progress !== undefined) this.#onProgress(progress);
      }
    });
    const { exitCode, code, stdout, stderr } = await call;
    if (code === 'ENOENT')
      throw new ReproError(
        `${this.#url} needs the program rclone, which is not on the PATH; install it from your system's packages or from rclone.org`,
      );
    return { exitCode, stdout, stderr };
  }

  /** Why a call has failed. The version is asked only now, because that takes as long as a short call. */
  async #failed(what: string, stderr: string): Promise<ReproError> {
    const { stdout } = await this.#run(['version']);
    const [, major, minor] = /^rclone v(\d+)\.(\d+)/.exec(stdout)?.map(Number) ?? [];
    return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
      ? new ReproError(`rclone ${major}.${minor} is too old for ${this.#url}; it must be ${OLDEST.join('.')} or newer`)
      : new ReproError(`the remote ${this.#url} ${what}: ${lastMessage(stderr)}`, 1);
  }
}

interface Result {
  /** undefined if a signal ended it. */
  exitCode?: number;
  stdout: string;
  stderr: string;
}

/** The numbers in a line of rclone's log; undefined if it has none. */
function progressIn(line: string): TransferProgress | undefined {
  if (!line.includes('"stats"')) return undefined;
  try {
    const { transfers, totalTransfers, bytes, totalBytes } = JSON.parse(line).stats;
    return { files: transfers, allFiles: totalTransfers, bytes, allBytes: totalBytes };
  } catch {
    return undefined; // The line came in two pieces.
  }
}

/** The last message of a log, as JSON or as text with the date in front, in one line. */
function lastMessage(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !line.includes('"stats"'));
  return messageIn(lines)
    .replace(/^(ERROR|Failed to \w+ with \d+ errors: last error was)\s*: /, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The last message, with the prefix that rclone gives it. */
function messageIn(lines: string[]): string {
  const last = lines.at(-1) ?? 'rclone says nothing more';
  try {
    return String(JSON.parse(last).msg);
  } catch {
    // A message may have several lines, of which the first has the date.
    const first = lines.findLastIndex((line) => DATE.test(line));
    return first === -1 ? last : lines.slice(first).join(' ').replace(DATE, '');
  }
}

/** The date at the start of a message. */
const DATE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /;
