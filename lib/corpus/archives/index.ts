/**
 * Unpacking archives from untrusted sources.
 *
 *   archive.ts   unpackArchive: which entries are written, and the limits
 *   tar.ts       reads tar streams, entry by entry
 *   zip.ts       reads zip files, entry by entry
 *   bytes.ts     ByteReader: reads a stream by numbers of bytes
 */
export { DEFAULT_LIMITS, type UnpackLimits, unpackArchive } from './archive.ts';
