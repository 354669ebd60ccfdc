/**
 * The layout of a token store: the keys and values in its LMDB file; and a function that opens the file.
 * store-writer.ts writes the store, token-store.ts reads it.
 *
 *   meta              {format, version, vocabularySize, bytesPerToken}
 *   SPLIT/00000000    the ids of a split, in chunks of just over 16 MiB; the last chunk is shorter
 *   SPLIT/documents   tokens, bytes and characters of each document: three u32 per document
 *   totals            {SPLIT: {tokens, bytes, chars, documents}}
 *   complete          true; written last, in a transaction of its own
 *
 * Ids are in native byte order. export-bin.ts exports them for other programs.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { RootDatabase } from 'lmdb';

/** The parts of the corpus. */
export type Split = 'train' | 'val' | 'test';
/** All splits, in the order in which they are written. */
export const SPLITS: readonly Split[] = ['train', 'val', 'test'];

/** The size of a document or a split. Losses are divided by these counts. */
export interface Extent {
  /** Number of ids, specials included. */
  tokens: number;
  /** Bytes of the text in UTF-8, without specials. */
  bytes: number;
  /** Code points of the text, without specials. */
  chars: number;
}

/** The size of a split. */
export interface Totals extends Extent {
  documents: number;
}

/** Name of the LMDB file in the store's directory. */
export const DATA_FILE = 'data.mdb';
/** Name of the subdirectory in which an unfinished store is written. */
export const WRITING_DIR = '.writing';
/** The value of `format` in the key `meta`. */
export const FORMAT = 'symbolic-music-scaling token store';
/** The version of this layout. */
export const VERSION = 1;

const PAGE_BYTES = 4096;
/** LMDB stores a header of this size in front of a large value that has separate pages. */
const VALUE_HEADER_BYTES = 24;

/**
 * Bytes per chunk. The lmdb package maps values of at least 16 MiB into an ArrayBuffer instead of copying them. A value
 * that is 24 bytes shorter than k pages fills k pages exactly, with its header.
 */
export const CHUNK_BYTES = 16 * 1024 * 1024 + PAGE_BYTES - VALUE_HEADER_BYTES;

/** The value of the key `meta`. */
export interface Meta {
  format: string;
  version: number;
  vocabularySize: number;
  bytesPerToken: 2 | 4;
  /** Hash of the tokenizer.json that made the ids. Absent if the writer was given no tokenizer. */
  tokenizerSha256?: string;
}

/** The LMDB database of a store: binary values by string keys. */
export type Database = RootDatabase<Uint8Array, string>;

/** The key of a chunk of a split. */
export const chunkKey = (split: Split, chunk: number) => `${split}/${String(chunk).padStart(8, '0')}`;

/**
 * Opens the LMDB file. The package lmdb is loaded here, because that takes 50 ms and most users of this library open no
 * store.
 */
export function openLmdb(path: string, options: { readOnly?: boolean }): Database {
  const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  return open<Uint8Array, string>(path, {
    noSubdir: true,
    encoding: 'binary',
    maxDbs: 1,
    // Training reads windows at random positions, so reading ahead would be wasted.
    noReadAhead: true,
    // Zero the unused parts of pages, so that equal stores are equal byte for byte.
    noMemInit: false,
    // finishDataFile flushes the whole file once, at the end.
    noSync: !options.readOnly,
    overlappingSync: false,
    ...options,
  } as Parameters<typeof open>[0] as never);
}

/** The SHA-256 hash of a file, in hexadecimal. */
export const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
