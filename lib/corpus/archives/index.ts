/**
 * Unpacking archives from untrusted sources.
 *
 *   archive.ts   unpackArchive: checks entries and limits, and writes files
 *   tar.ts       reads tar streams, entry by entry
 *   zip.ts       reads zip files, entry by entry
 *   bytes.ts     ByteReader: reads a stream by numbers of bytes
 */
export { DEFAULT_LIMITS, type UnpackLimits, unpackArchive } from './archive.ts';
export { readZip, type ZipEntry } from './zip.ts';
