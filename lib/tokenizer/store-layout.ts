/**
 * How a token store lies in its LMDB file: names, keys, sizes, and how the file is opened. store-writer.ts fills it, store.ts
 * reads it.
 *
 *   meta              {format, version, vocabularySize, bytesPerToken}
 *   SPLIT/00000000    ids of the split, one document after another, in chunks of just over 16 MiB, the last one shorter
 *   SPLIT/documents   tokens, bytes and characters of each document: three u32 a document
 *   totals            {SPLIT: {tokens, bytes, chars, documents}}
 *   complete          written last, in a transaction of its own
 *
 * Ids are in this machine's byte order. For other programs see export-bin.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { RootDatabase } from 'lmdb';

export type Split = 'train' | 'val' | 'test';
export const SPLITS: readonly Split[] = ['train', 'val', 'test'];

/** Of a split, or of one document: what losses are divided by. Bytes and characters are the text's, without specials. */
export interface Extent {
  tokens: number;
  bytes: number;
  chars: number;
}

export interface Totals extends Extent {
  documents: number;
}

export const DATA_FILE = 'data.mdb';
export const WRITING = '.writing';
export const FORMAT = 'symbolic-music-scaling token store';
export const VERSION = 1;

/**
 * Bytes a chunk. lmdb maps values of 16 MiB and more into an ArrayBuffer instead of copying them, and a value of
 * k pages less 24 bytes fills k pages to the last byte.
 */
export const CHUNK_BYTES = 16 * 1024 * 1024 + 4096 - 24;

export interface Meta {
  format: string;
  version: number;
  vocabularySize: number;
  bytesPerToken: 2 | 4;
  /** of the tokenizer.json that the ids are of; absent where the writer was given none */
  tokenizerSha256?: string;
}

export type Database = RootDatabase<Uint8Array, string>;

export const chunkKey = (split: Split, chunk: number) => `${split}/${String(chunk).padStart(8, '0')}`;

/** lmdb takes 50 ms to load, and most users of this library open no store. */
export function openLmdb(path: string, options: { readOnly?: boolean }): Database {
  const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  return open<Uint8Array, string>(path, {
    noSubdir: true,
    encoding: 'binary',
    maxDbs: 1,
    // Read ahead is for scans; windows are drawn at random.
    noReadAhead: true,
    // Unused parts of pages are zero, so that equal stores are equal bytes; one fsync at the end is enough.
    noMemInit: false,
    noSync: !options.readOnly,
    overlappingSync: false,
    ...options,
  } as Parameters<typeof open>[0] as never);
}

export const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
