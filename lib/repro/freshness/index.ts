/**
 * The call that finds nothing to do. It loads this folder, messages and the few lines of cli.ts, so keep it small.
 *
 *   fresh-stamp.ts      checks the stamp of the last run that left every stage fresh
 *   stat-signature.ts   recognises a changed file without reading it
 *   build-id.ts         the build of repro that is running
 *   regular-file.ts     opens plain files, and no FIFOs or devices
 *   headline.ts         the lines that a run on a terminal ends with
 */
export { buildId } from './build-id.ts';
export { freshHeader, STAMP_FILE, type StampHeader, stampText } from './fresh-stamp.ts';
export { readHeadline } from './headline.ts';
export { openFile, readBytes, readUtf8, readUtf8OrUndefined, whyNotFile } from './regular-file.ts';
export {
  isExecutable,
  isSettled,
  lstatOrUndefined,
  now,
  SETTLING,
  statOrUndefined,
  statSignature,
} from './stat-signature.ts';
