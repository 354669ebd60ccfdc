/**
 * The files that repro itself keeps:
 * - atomic-write.ts: writes a file so that a kill or a power cut does no harm;
 * - open-store.ts: LMDB stores; check-store.ts finds damaged ones;
 * - boot-id.ts: the start of the machine since which something is known;
 * - host.ts: the system that this process runs in;
 * - platform.ts: functions that depend on the operating system;
 * - make-folder.ts: makes folders at paths that a user names;
 * - private-folder.ts: a folder that no other user can write to.
 */

export {
  isLeftover,
  isTemporary,
  moveIntoPlace,
  removeLeftovers,
  temporaryPath,
  type WriteOptions,
  writeAtomically,
} from './atomic-write.ts';
export { bootId } from './boot-id.ts';
export { type Host, thisHost } from './host.ts';
export { makeFolder } from './make-folder.ts';
export { Store, type StoreOptions } from './open-store.ts';
export { cloneOnApfs, isOnApfs, platform, systemOutput, systemOutputLater } from './platform.ts';
export { makePrivateFolder } from './private-folder.ts';
