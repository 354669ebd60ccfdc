export { Cache } from './cache.ts';
export { unlinkFromCache } from './copies.ts';
export { Lock } from './lock.ts';
export { LOCK, type LockedStage, type Recorded, readLock } from './lock-text.ts';
export { fetch, push, remoteFolder, type TransferSource } from './remote.ts';
export { Runs } from './run-cache.ts';
export { type Inputs, keyOfBlock, lockedStage, runKey } from './run-key.ts';
