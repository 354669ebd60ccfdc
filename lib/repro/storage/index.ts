/**
 * Files on disk about runs and their results.
 *
 *   lock.ts, lock-text.ts   dvc-like.lock: the inputs and outputs of each stage's last run
 *   run-cache.ts            the same for every run, by fingerprint key (run-key.ts)
 *   cache.ts                outputs by content; see also object-store.ts and copies.ts
 *   shared-cache.ts         a cache that several projects share
 *   remote.ts               remotes, push and fetch; addresses are parsed by remote-address.ts
 *   transfer.ts             push to and fetch from a folder
 *   rclone-transfer.ts      the same for a service, by the program rclone (rclone.ts)
 *   remote-gc.ts            removes unneeded files of a remote; remote-store.ts lists, reads and removes its files
 *   config.ts               .repro/config.yaml
 */
export { Cache } from './cache.ts';
export { type Config, placeInConfig, readConfig, type SlurmConfig, sharedCacheFolder } from './config.ts';
export { unlinkFromCache } from './copies.ts';
export { Lock } from './lock.ts';
export { LOCK, type LockedStage, type Recorded, readLock } from './lock-text.ts';
export type { TransferProgress } from './rclone.ts';
export { fetch, findRemote, push, remoteForForecast } from './remote.ts';
export { parseRemoteAddress, type RemoteAddress } from './remote-address.ts';
export { planRemoteGc, type RemoteGcPlan, readRemote, removeFromRemote } from './remote-gc.ts';
export { openRemoteStore } from './remote-store.ts';
export { RunCache } from './run-cache.ts';
export { type Fingerprint, fingerprintKey, lockedStage, recordedKey } from './run-key.ts';
export { SharedCache } from './shared-cache.ts';
export type { TransferSource } from './transfer.ts';
