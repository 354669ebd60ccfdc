/**
 * Shows the output of jobs while they run. Nodes write it to .repro/logs, on the disk that they share with this host.
 * At each look, some of the logs are read on from where the last look has ended, in turn, so that the load on that disk
 * does not grow with the number of jobs.
 *
 *     output.follow('ID/0', { log, print });   // the log exists
 *     output.look();                           // each few seconds
 *     output.end('ID/0', { log, print });      // the job has ended: the rest
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { openFile } from '../freshness/index.ts';
import { describeBytes } from '../messages/index.ts';
import { isLog } from './attempt-files.ts';

/** How many logs are read at one look. */
const MOST_LOGS = 20;
/** Bytes. If a job has printed more than this since the last look, only the end is shown. */
const MOST_BYTES = 1 << 20;

/** A log that is followed. */
export interface FollowedLog {
  /** Relative to the root. */
  log: string;
  print(text: string): void;
}

/** The logs of one call. */
export class LiveOutput {
  readonly #root: string;
  /** The logs that are followed, by job; the one that was read longest ago comes first. */
  readonly #followed = new Map<string, FollowedLog & { at: number; decoder: StringDecoder }>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Reads a log from now on. It must exist: clients of NFS remember that a name was not there. */
  follow(key: string, followed: FollowedLog): void {
    if (!this.#followed.has(key) && isLog(followed.log))
      this.#followed.set(key, { ...followed, at: 0, decoder: new StringDecoder('utf8') });
  }

  /** Prints what has come. */
  look(): void {
    for (const key of [...this.#followed.keys()].slice(0, MOST_LOGS)) {
      const followed = this.#followed.get(key)!;
      this.#followed.delete(key);
      this.#followed.set(key, followed);
      this.#read(key);
    }
  }

  /** Prints the rest, also of a log that was not followed before. */
  end(key: string, followed: FollowedLog): void {
    this.follow(key, followed);
    this.#read(key);
    this.#followed.delete(key);
  }

  #read(key: string): void {
    const followed = this.#followed.get(key);
    if (followed === undefined) return;
    const { log, print, decoder } = followed;
    try {
      // A client of NFS asks the server for the size when a file is opened.
      const descriptor = openFile(join(this.#root, log));
      try {
        const { size } = fstatSync(descriptor);
        if (size - followed.at > MOST_BYTES) {
          print(`\n… (${describeBytes(size - MOST_BYTES - followed.at)} more in ${log})\n`);
          followed.at = size - MOST_BYTES;
        }
        const bytes = Buffer.alloc(Math.max(0, size - followed.at));
        const got = readSync(descriptor, bytes, 0, bytes.length, followed.at);
        followed.at += got;
        const text = decoder.write(bytes.subarray(0, got));
        if (text !== '') print(text);
      } finally {
        closeSync(descriptor);
      }
    } catch {} // It cannot be read now, or was removed. `repro log` shows it later.
  }
}
