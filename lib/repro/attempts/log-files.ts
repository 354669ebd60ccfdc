/**
 * The files in .repro/logs, each with the output of one attempt: `.repro/logs/STAGE/TIME.log`. A log may be larger than
 * a text can be in JavaScript, so it is read in pieces, and its last lines are read from its end.
 */
import { closeSync, existsSync, fstatSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout } from 'node:timers/promises';
import { openFile } from '../freshness/index.ts';
import { fileNameFor } from '../pipeline/index.ts';

const LOGS = '.repro/logs';

/** Milliseconds between two looks at a file that is still written. */
const POLL = 200;
/** Bytes that one read returns at most. */
const PIECE = 1 << 20;
/** Bytes that `lastLines` returns at most. */
const MAX_TAIL = 256 << 10;
/** Bytes at the end of a log in which `lastLines` counts the earlier lines. */
const MAX_COUNTED = 16 << 20;
/** Seconds, seven days. gc keeps every log and attempt that is not older. */
export const RECENT = 7 * 24 * 3600;

/** The last lines of a file. */
export interface LastLines {
  lines: string[];
  /** How many lines come before them; undefined if there are too many to count. */
  earlier: number | undefined;
}

/**
 * The text of a file, in pieces. A line may be in several pieces, and a piece may have several lines.
 *
 * @param last start at the last so many lines; undefined: at the start
 * @throws Error of node:fs if it cannot be read
 */
export function* textOf(path: string, last?: number): Generator<string> {
  const descriptor = openFile(path);
  try {
    const { size } = fstatSync(descriptor);
    const decoder = new StringDecoder('utf8');
    const bytes = Buffer.allocUnsafe(Math.min(PIECE, size));
    for (let at = last === undefined ? 0 : startOfLast(descriptor, size, last), got = 1; got > 0; at += got) {
      got = readSync(descriptor, bytes, 0, bytes.length, at);
      const text = decoder.write(bytes.subarray(0, got));
      if (text !== '') yield text;
    }
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The text of a file that another process writes, as it comes, also if the file does not exist yet. Ends when
 * `isComplete` has returned true and everything written before that was read.
 *
 * @param last start at the last so many lines; undefined: at the start
 * @throws Error of node:fs if it cannot be read
 */
export async function* textAsWritten(
  path: string,
  last: number | undefined,
  isComplete: () => boolean,
): AsyncGenerator<string> {
  let complete = isComplete();
  while (!existsSync(path)) {
    if (complete) return;
    await setTimeout(POLL);
    complete = isComplete();
  }
  const descriptor = openFile(path);
  try {
    const decoder = new StringDecoder('utf8');
    const bytes = Buffer.allocUnsafe(PIECE);
    let at = last === undefined ? 0 : startOfLast(descriptor, fstatSync(descriptor).size, last);
    for (;;) {
      const got = readSync(descriptor, bytes, 0, bytes.length, at);
      at += got;
      const text = decoder.write(bytes.subarray(0, got));
      if (text !== '') yield text;
      if (got > 0) continue;
      if (complete) return;
      await setTimeout(POLL);
      complete = isComplete();
    }
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The last lines of a file, at most `count` and at most 256 KiB.
 *
 * @throws Error of node:fs if it cannot be read
 */
export function lastLines(path: string, count: number): LastLines {
  const descriptor = openFile(path);
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(startOfLast(descriptor, size, count), size - MAX_TAIL);
    const text = readRange(descriptor, start, size).toString('utf8').trimEnd();
    let earlier: number | undefined = start > MAX_COUNTED ? undefined : 0;
    for (let at = 0; at < start && earlier !== undefined; at += PIECE)
      for (const byte of readRange(descriptor, at, Math.min(at + PIECE, start))) if (byte === NEWLINE) earlier++;
    return { lines: text === '' ? [] : text.split('\n'), earlier };
  } finally {
    closeSync(descriptor);
  }
}

const NEWLINE = 10;

/** Where the last `count` lines start. Line breaks at the very end do not count. */
function startOfLast(descriptor: number, size: number, count: number): number {
  let [isAtEnd, found] = [true, 0];
  for (let end = size; end > 0; end -= PIECE) {
    const start = Math.max(0, end - PIECE);
    const bytes = readRange(descriptor, start, end);
    for (let i = bytes.length - 1; i >= 0; i--) {
      if (bytes[i] !== NEWLINE) isAtEnd = false;
      else if (!isAtEnd && ++found === count) return start + i + 1;
    }
  }
  return 0;
}

function readRange(descriptor: number, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  let got = 0;
  for (let more = 1; more > 0 && got < bytes.length; got += more)
    more = readSync(descriptor, bytes, got, bytes.length - got, start + got);
  return bytes.subarray(0, got);
}

/** A log that is no longer needed; `size` in bytes. */
export interface OldLog {
  path: string;
  size: number;
}

/**
 * The logs that gc may delete: all but the newest of each stage of the pipeline and those that are recent.
 *
 * @param stages the names of the stages of the pipeline
 * @param age a log is recent if it was written within so many seconds; by default within seven days
 */
export function oldLogs(root: string, stages: Iterable<string>, age = RECENT): OldLog[] {
  const folder = join(root, LOGS);
  if (!existsSync(folder)) return [];
  const live = new Set([...stages].map(fileNameFor));
  return readdirSync(folder).flatMap((stage) => {
    if (!statSync(join(folder, stage)).isDirectory()) return [];
    const logs = readdirSync(join(folder, stage))
      .filter((name) => name.endsWith('.log'))
      .sort()
      .map((name) => ({ path: join(folder, stage, name), stat: statSync(join(folder, stage, name)) }));
    if (live.has(stage)) logs.pop();
    return logs
      .filter(({ stat }) => stat.isFile() && Date.now() - stat.mtimeMs > age * 1000)
      .map(({ path, stat }) => ({ path, size: stat.size }));
  });
}
