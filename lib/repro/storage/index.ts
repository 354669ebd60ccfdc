export { Cache } from './cache.ts';
export { unlinkFromCache } from './copies.ts';
export { Lock } from './lock.ts';
export { LOCK, type LockedStage, type Recorded, readLock } from './lock-text.ts';
export { fetch, push, remoteFolder, type TransferSource } from './remote.ts';
export { RunCache } from './run-cache.ts';
export { type Fingerprint, fingerprintKey, lockedStage, recordedKey } from './run-key.ts';
