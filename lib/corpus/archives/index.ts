export { DEFAULT_LIMITS, type UnpackLimits, unpackArchive } from './archive.ts';
