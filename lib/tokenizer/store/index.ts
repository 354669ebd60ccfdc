/**
 * The token store: the ids of a corpus in one LMDB file.
 *
 *   token-store.ts    opens a store and reads windows of tokens
 *   store-writer.ts   writes a store
 *   store-layout.ts   the keys and values in the LMDB file
 *   lmdb-file.ts      the parts of LMDB's file format that the store handles itself
 *   export-bin.ts     copies a store to the files that nanoGPT reads
 */
export { exportBin } from './export-bin.ts';
export { type Extent, SPLITS, type Split, type Totals } from './store-layout.ts';
export { type StoreOptions, TokenStoreWriter } from './store-writer.ts';
export { TokenStore } from './token-store.ts';
