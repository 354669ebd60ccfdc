/**
 * What repro keeps on disk about runs and their results.
 *
 *   lock.ts, lock-text.ts   dvc-like.lock: the inputs and outputs of each stage's last run
 *   run-cache.ts            the same for every run, by fingerprint key (run-key.ts)
 *   cache.ts                outputs by content; see also object-store.ts and copies.ts
 *   remote.ts               the folder of a remote; its address is parsed by remote-address.ts
 *   transfer.ts             push and fetch
 *   config.ts               .repro/config.yaml
 */
export { Cache } from './cache.ts';
export { type Config, readConfig } from './config.ts';
export { unlinkFromCache } from './copies.ts';
export { Lock } from './lock.ts';
export { LOCK, type LockedStage, type Recorded, readLock } from './lock-text.ts';
export { remoteFolder } from './remote.ts';
export { parseRemoteAddress, type RemoteAddress } from './remote-address.ts';
export { RunCache } from './run-cache.ts';
export { type Fingerprint, fingerprintKey, lockedStage, recordedKey } from './run-key.ts';
export { fetch, push, type TransferSource } from './transfer.ts';
